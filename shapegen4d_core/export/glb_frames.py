"""The frames of a sequence as a GLB stores them: without the root's motion, as floats or on a grid of integers.

KHR_mesh_quantization lets positions be 16-bit whole numbers that a node scales back, and normals be 8-bit fractions.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import InputError
from ..progress import Check
from ..sequence import MeshSequence
from .glb_motion import Motion
from .gltf_buffers import BufferSpool
from .surfaces import Surfaces

STEPS = 32767  # of the grid along the longest side of the box: so positions and their changes fit in int16
_LOW, _HIGH = -16384, 16383
_UNIT = 127  # the length of an 8-bit normal


@dataclass(frozen=True)
class Grid:
    """Whole numbers -16384..16383 times ``step`` plus ``centre`` [3] are positions, wrong by at most half a step.

    The centre is that of the box, so that nodes hidden by a scale of 0 are a point inside of it.
    """

    centre: np.ndarray
    step: float

    def snap(self, points: np.ndarray) -> np.ndarray:
        """The nearest whole numbers int16 [V,3] of ``points`` [V,3]."""
        return np.clip(np.round((points - self.centre) / self.step), _LOW, _HIGH).astype(np.int16)


@dataclass(frozen=True)
class Shape:
    """One frame as stored: ``positions`` [V,3] float32 or int16, ``normals`` [V,3] float32 or int8 or left out."""

    positions: np.ndarray
    normals: np.ndarray | None


class Frames:
    """Gives the stored shape of one frame after another; keeps none."""

    def __init__(
        self,
        sequence: MeshSequence,
        motion: Motion | None,
        quantize: bool = False,
        normals: bool = True,
        check: Check | None = None,
    ) -> None:
        self.sequence, self.surfaces = sequence, Surfaces(sequence, check)
        self._motion, self._normals = motion, normals
        self.grid = self._grid(check) if quantize else None

    def shape(self, frame: int) -> Shape:
        """The frame as stored; raises InputError when float32 cannot hold a position seen from the root."""
        positions = self._points(frame)
        normals = self._directions(frame) if self._normals else None
        if self.grid is None:
            return Shape(positions, normals)
        return Shape(self.grid.snap(positions), None if normals is None else np.round(normals * _UNIT).astype(np.int8))

    def coordinates(self) -> np.ndarray | None:
        """Texture coordinates [V,2] with the origin top left: float32, or uint16 when quantised and all in 0..1."""
        uv = self.sequence.uv
        if uv is None:
            return None
        placed = np.stack([uv[:, 0], 1 - uv[:, 1]], axis=1)
        if self.grid is None or placed.min(initial=0) < 0 or placed.max(initial=0) > 1:
            return placed
        return np.round(placed * np.float64(65535)).astype(np.uint16)

    def _points(self, frame: int) -> np.ndarray:
        points = self.sequence.vertices[frame]
        if self._motion is None:
            return points
        with np.errstate(over="ignore"):
            points = self._motion.into_root(points, frame).astype(np.float32)
        if not np.isfinite(points).all():
            raise _too_far(frame)
        return points

    def _directions(self, frame: int) -> np.ndarray:
        normals = self.surfaces.normals(frame)
        if self._motion is None:
            return normals
        return self._motion.turned_into_root(normals, frame).astype(np.float32)

    def _grid(self, check: Check | None) -> Grid:
        low, high = np.full(3, np.inf), np.full(3, -np.inf)
        for frame, points in enumerate(self.sequence.vertices):
            if check is not None:
                check()
            if len(points):
                points = self._points(frame)
                low, high = np.minimum(low, points.min(axis=0)), np.maximum(high, points.max(axis=0))
        return Grid((low + high) / 2, float((high - low).max()) / STEPS or 1.0)


def base_attributes(spool: BufferSpool, shape: Shape) -> dict[str, int]:
    """POSITION and NORMAL of a primitive."""
    stored = {"POSITION": spool.vectors(shape.positions, bounds=True)}
    return stored if shape.normals is None else {**stored, "NORMAL": spool.vectors(shape.normals)}


def target_attributes(spool: BufferSpool, shape: Shape, base: Shape, frame: int) -> dict[str, int]:
    """POSITION and NORMAL of a morph target: what turns ``base`` into ``shape``, the shape of ``frame``.

    Raises InputError when float32 cannot hold the change.
    """
    stored = {"POSITION": spool.changes(_moves(shape.positions, base.positions, frame), bounds=True)}
    if shape.normals is None or base.normals is None:
        return stored
    return {**stored, "NORMAL": spool.changes(_turns(shape.normals, base.normals))}


def _moves(positions: np.ndarray, base: np.ndarray, frame: int) -> np.ndarray:
    if positions.dtype == np.int16:
        return positions - base  # at most 32767
    with np.errstate(over="ignore"):
        moves = positions - base
    if not np.isfinite(moves).all():
        raise _too_far(frame)
    return moves


def _turns(normals: np.ndarray, base: np.ndarray) -> np.ndarray:
    """Changes of normals; 8-bit ones as float32 where one turns too far for fractions up to 1."""
    if normals.dtype != np.int8:
        return normals - base
    turns = normals.astype(np.int16) - base
    return turns.astype(np.int8) if np.abs(turns).max(initial=0) <= _UNIT else np.float32(turns / _UNIT)


def _too_far(frame: int) -> InputError:
    return InputError(f"A vertex of frame {frame + 1} moved further than float32 holds; scale the sequence down.")
