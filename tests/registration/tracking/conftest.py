"""Moving shapes with a known motion, meshed anew in every frame so that no triangle survives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
from skimage.measure import marching_cubes

from shapegen4d_core.sequence import MeshSequence


def mesh_of(field: Callable[[np.ndarray], np.ndarray], resolution: int, shift: float = 0.0):
    """The surface at 0 of a field (positive inside) on [-1.05,1.05]^3: vertices float32 [V,3], faces int32 [F,3]."""
    cell = 2.1 / resolution
    axis = np.arange(resolution + 1) * cell - 1.05 + shift * cell
    grid = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1)
    vertices, faces, _, _ = marching_cubes(field(grid.reshape(-1, 3)).reshape(grid.shape[:3]), 0.0)
    return (vertices * cell + axis[0]).astype(np.float32), np.ascontiguousarray(faces[:, ::-1], np.int32)


def union(balls: list[tuple[tuple[float, float, float], float]]) -> Callable[[np.ndarray], np.ndarray]:
    """Balls (centre, radius) together."""
    return lambda points: np.max([radius - np.linalg.norm(points - centre, axis=1) for centre, radius in balls], axis=0)


def sequence(meshes, fps: float = 8.0) -> MeshSequence:
    """Meshes as a sequence."""
    return MeshSequence(tuple(mesh[0] for mesh in meshes), tuple(mesh[1] for mesh in meshes), fps, "moving")


@dataclass(frozen=True)
class Moving:
    """A sequence and where a point [P,3] of frame 0 is in frame t."""

    meshes: MeshSequence
    carried: Callable[[np.ndarray, int], np.ndarray]


@pytest.fixture(scope="session")
def bending():
    """A body with an arm and a knob that bends further in every frame."""
    body = union([((0, -0.5, 0), 0.3), ((0, -0.2, 0), 0.3), ((0, 0.1, 0), 0.27), ((0, 0.4, 0), 0.25),
                  ((0, 0.1, 0.35), 0.15), ((-0.25, 0.5, 0.0), 0.13)])  # fmt: skip

    def make(count: int = 4, resolution: int = 32, step: float = 0.12) -> Moving:
        def warp(points: np.ndarray, t: int, sign: float) -> np.ndarray:
            moved = points.copy()
            moved[:, 0] += sign * step * t * (points[:, 1] + 0.6) ** 2
            return moved

        meshes = [
            mesh_of(lambda p, t=t: body(warp(p, t, -1)).astype(np.float32), resolution, shift=0.37 * t)
            for t in range(count)
        ]
        return Moving(sequence(meshes), lambda points, t: warp(points, t, 1))

    return make


@pytest.fixture(scope="session")
def merging():
    """Two balls that touch first in frame 3."""
    gaps = (0.4, 0.3, 0.2, -0.1, -0.2, -0.2)
    meshes = [
        mesh_of(union([((-0.35 - gap / 2, 0, 0), 0.35), ((0.35 + gap / 2, 0, 0), 0.35)]), 32, shift=0.2 * t)
        for t, gap in enumerate(gaps)
    ]
    return sequence(meshes)
