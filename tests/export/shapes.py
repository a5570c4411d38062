"""Small sequences the export tests share."""

from __future__ import annotations

import numpy as np
import trimesh

from shapegen4d_core.sequence import MeshSequence

EMPTY = (np.zeros((0, 3), np.float32), np.zeros((0, 3), np.int32))


def sphere(subdivisions: int = 1, radius: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Vertices and faces of a closed sphere."""
    mesh = trimesh.creation.icosphere(subdivisions, radius=radius)
    return mesh.vertices.astype(np.float32), mesh.faces.astype(np.int32)


def waving(frame_count: int = 6, fps: float = 24.0, **fields) -> MeshSequence:
    """A sphere stretching along x: one topology, every vertex moves."""
    vertices, faces = sphere()
    factors = [1 + 0.4 * np.sin(2 * np.pi * frame / frame_count) for frame in range(frame_count)]
    frames = tuple((vertices * np.array([factor, 1, 1 / factor])).astype(np.float32) for factor in factors)
    return MeshSequence(frames, (faces,) * frame_count, fps, **fields)


def changing(frame_count: int = 7, fps: float = 12.5, empty: tuple = (3,), **fields) -> MeshSequence:
    """Spheres of other subdivision and size in every frame, nothing in the ``empty`` ones."""
    frames = [EMPTY if i in empty else sphere(i % 3, 1 + 0.1 * i) for i in range(frame_count)]
    return MeshSequence(tuple(f[0] for f in frames), tuple(f[1] for f in frames), fps, **fields)
