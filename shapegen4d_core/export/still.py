"""What one frame of a sequence has to say to a file that holds a single mesh."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..progress import Check
from ..sequence import MeshSequence
from .surfaces import Surfaces

_ROWS = 1 << 16


@dataclass(frozen=True)
class Still:
    """One mesh: vertices [V,3], faces [F,3], and per vertex uv [V,2] (origin bottom left) and unit normals [V,3]."""

    vertices: np.ndarray
    faces: np.ndarray
    uv: np.ndarray | None = None
    normals: np.ndarray | None = None


class Stills:
    """The frames of one sequence as stills, made one at a time; ``normals`` adds smooth ones, or the sequence's own."""

    def __init__(self, sequence: MeshSequence, normals: bool, check: Check | None = None) -> None:
        self._sequence, self._normals = sequence, normals
        self._surfaces = Surfaces(sequence, check)

    def frame(self, index: int) -> Still:
        """Frame ``index`` (from 0)."""
        sequence = self._sequence
        normals = self._surfaces.normals(index) if self._normals else None
        return Still(sequence.vertices[index], sequence.faces[index], sequence.uv, normals)

    def closed(self, index: int) -> bool:
        """Whether the faces of frame ``index`` enclose a volume, so that no back face can be seen."""
        return self._surfaces.closed(index)


def blocks(rows: np.ndarray, check: Check | None) -> Iterator[np.ndarray]:
    """``rows`` in blocks small enough that a cancel between two takes effect at once."""
    for start in range(0, len(rows), _ROWS):
        if check is not None:
            check()
        yield rows[start : start + _ROWS]
