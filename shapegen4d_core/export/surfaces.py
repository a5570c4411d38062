"""What an exported frame needs beside its positions: unit normals, seams of the texture, closedness."""

from __future__ import annotations

import numpy as np

from ..geometry.coincident import coincident_vertices
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
