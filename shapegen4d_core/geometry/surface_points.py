"""Point clouds on meshes: area-weighted, seeded, and carried along when the mesh keeps its faces."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import InputError
from .mesh import area_vectors


@dataclass(frozen=True)
class SurfacePoints:
    """Points as rows of a mesh: ``face`` [P] and barycentric ``weights`` [P,3] of its corners."""

    face: np.ndarray
    weights: np.ndarray

    def on(self, vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
        """Positions float64 [P,3] on a mesh with these faces [F,3] and any vertices [V,3]."""
        corners = np.asarray(vertices, dtype=np.float64)[faces[self.face]]
        return np.einsum("pc,pcx->px", self.weights, corners)


def choose_points(vertices: np.ndarray, faces: np.ndarray, count: int, seed: int) -> SurfacePoints:
    """``count`` independent places on a mesh [V,3], [F,3], uniform by area; the same for the same seed.

    Raises InputError for a mesh without area.
    """
    areas = np.linalg.norm(area_vectors(np.asarray(vertices), faces), axis=1) if len(faces) else np.zeros(0)
    if not areas.sum() > 0:
        raise InputError(f"A mesh with {len(faces)} faces has no area; points can only be drawn from a surface.")
    rng = np.random.default_rng(seed)
    ends = np.cumsum(areas)
    face = np.searchsorted(ends, rng.random(count) * ends[-1], side="right").clip(max=len(faces) - 1)
    split = np.sqrt(rng.random(count))
    along = rng.random(count)
    weights = np.stack([1 - split, split * (1 - along), split * along], axis=1)
    return SurfacePoints(face, weights)


def sample_surface(vertices: np.ndarray, faces: np.ndarray, count: int, seed: int) -> np.ndarray:
    """``count`` points float64 [count,3] on a mesh, uniform by area; an empty array when the mesh has no faces."""
    if len(faces) == 0:
        return np.zeros((0, 3))
    return choose_points(vertices, faces, count, seed).on(vertices, faces)


@dataclass(frozen=True)
class UnitBox:
    """The box of a whole sequence, taken to [-1,1]^3: ``x -> (x - centre) / half_side``."""

    centre: np.ndarray
    half_side: float

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """Points [P,3] in half boxes."""
        return (np.asarray(points, dtype=np.float64) - self.centre) / self.half_side


def unit_box(frames: Sequence[np.ndarray]) -> UnitBox:
    """The one box around the points [P,3] of all frames, its longest side 2; raises InputError when there are none."""
    filled = [np.asarray(frame, dtype=np.float64) for frame in frames if len(frame)]
    if not filled:
        raise InputError("A sequence without any points has no box; the ground truth must not be empty.")
    low = np.min([frame.min(axis=0) for frame in filled], axis=0)
    high = np.max([frame.max(axis=0) for frame in filled], axis=0)
    side = float((high - low).max())
    if side <= 0:
        raise InputError("All points of the sequence are one point; the ground truth must have an extent.")
    return UnitBox((low + high) / 2, side / 2)
