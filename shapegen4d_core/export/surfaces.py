"""What an exported frame needs beside its positions: unit normals, seams of the texture, closedness."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..geometry.mesh import is_closed, vertex_normals
from ..progress import Check
from ..sequence import MeshSequence


class Surfaces:
    """Normals and closedness of the frames of one sequence, with texture seams sewn shut where it has uv."""

    def __init__(self, sequence: MeshSequence, check: Check | None = None) -> None:
        self._sequence = sequence
        self._groups = self._firsts = None
        if sequence.uv is not None:
            self._groups = coincident_vertices(sequence.vertices, check)
            self._firsts = np.unique(self._groups, return_index=True)[1]  # one vertex of each group

    def normals(self, frame: int) -> np.ndarray:
        """Unit normals [V,3] float32 of a frame: the given ones, or smooth ones weighted by area."""
        if self._sequence.normals is not None:
            return unit(self._sequence.normals[frame])
        vertices, faces = self._sequence.vertices[frame], self._sequence.faces[frame]
        if self._groups is None:
            return vertex_normals(vertices, faces)
        return vertex_normals(vertices[self._firsts], self._groups[faces])[self._groups]

    def closed(self, frame: int) -> bool:
        """Whether the faces of a frame enclose a volume, so that no back face can be seen."""
        faces = self._sequence.faces[frame]
        return is_closed(faces if self._groups is None else self._groups[faces])


def unit(vectors: np.ndarray) -> np.ndarray:
    """``vectors`` [V,3] scaled to length 1, float32; zero vectors, which glTF forbids, become +y."""
    vectors = vectors.astype(np.float64)
    vectors[~vectors.any(axis=1)] = (0.0, 1.0, 0.0)
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def coincident_vertices(frames: Sequence[np.ndarray], check: Check | None = None) -> np.ndarray:
    """Group number [V] from 0 of each vertex: two vertices share a group when they coincide in every frame [V,3]."""
    count = len(frames[0])
    groups = np.zeros(count, np.int64)
    candidates = np.arange(count)  # vertices that have coincided with another one so far
    for vertices in frames:
        if check is not None:
            check()
        if not len(candidates):
            break
        found = _split(vertices[candidates], groups[candidates])
        groups[candidates] = found
        alone = candidates[np.bincount(found)[found] == 1]
        groups[alone] = count + alone
        candidates = candidates[groups[candidates] < count]
    return np.unique(groups, return_inverse=True)[1]


def _split(points: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """``groups`` [K] cut up so that only equal ``points`` [K,3] stay together, numbered from 0."""
    order = np.lexsort((points[:, 2], points[:, 1], points[:, 0], groups))
    sorted_groups, sorted_points = groups[order], points[order]
    starts = np.ones(len(order), bool)
    moved = (sorted_points[1:] != sorted_points[:-1]).any(axis=1)
    starts[1:] = moved | (sorted_groups[1:] != sorted_groups[:-1])
    split = np.empty_like(groups)
    split[order] = np.cumsum(starts) - 1
    return split
