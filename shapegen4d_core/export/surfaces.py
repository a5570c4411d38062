"""What an exported frame needs beside its positions: unit normals, seams of the texture, closedness."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..geometry.mesh import is_closed, vertex_normals
from ..sequence import MeshSequence


class Surfaces:
    """Normals and closedness of the frames of one sequence, with texture seams sewn shut where it has uv."""

    def __init__(self, sequence: MeshSequence) -> None:
        self._sequence = sequence
        self._groups = None if sequence.uv is None else coincident_vertices(sequence.vertices)

    def normals(self, frame: int) -> np.ndarray:
        """Unit normals [V,3] float32 of a frame: the given ones, or smooth ones weighted by area."""
        if self._sequence.normals is not None:
            return unit(self._sequence.normals[frame])
        vertices, faces = self._sequence.vertices[frame], self._sequence.faces[frame]
        if self._groups is None:
            return vertex_normals(vertices, faces)
        _, first = np.unique(self._groups, return_index=True)
        return vertex_normals(vertices[first], self._groups[faces])[self._groups]

    def closed(self, frame: int) -> bool:
        """Whether the faces of a frame enclose a volume, so that no back face can be seen."""
        faces = self._sequence.faces[frame]
        return is_closed(faces if self._groups is None else self._groups[faces])


def unit(vectors: np.ndarray) -> np.ndarray:
    """``vectors`` [V,3] scaled to length 1, float32; zero vectors, which glTF forbids, become +y."""
    vectors = vectors.astype(np.float64)
    vectors[~vectors.any(axis=1)] = (0.0, 1.0, 0.0)
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def coincident_vertices(frames: Sequence[np.ndarray]) -> np.ndarray:
    """Group number [V] of each vertex: two vertices share a group when they coincide in every frame [V,3]."""
    groups = np.zeros(len(frames[0]), np.int64)
    for vertices in frames:
        order = np.lexsort((vertices[:, 2], vertices[:, 1], vertices[:, 0], groups))
        sorted_groups, sorted_points = groups[order], vertices[order]
        starts = np.ones(len(order), bool)
        moved = (sorted_points[1:] != sorted_points[:-1]).any(axis=1)
        starts[1:] = moved | (sorted_groups[1:] != sorted_groups[:-1])
        groups = np.empty_like(groups)
        groups[order] = np.cumsum(starts) - 1
    return groups
