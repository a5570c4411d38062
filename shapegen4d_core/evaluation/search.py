"""The grid search of the paper's alignment: azimuth x scale x translation by truncated Chamfer distance.

Thousands of candidates are compared by looking distances up in two fields, one around each cloud, instead of asking
a tree: the distance of a fixed point to the moved cloud is that of the point moved back, times the scale.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from ..geometry.distances import tree_of
from ..geometry.similarity import Similarity, azimuth_rotation

FIELD_CELLS = 56


class DistanceField:
    """Distances to a cloud [P,3], cut off at ``limit``, at the nearest vertex of a grid around it."""

    def __init__(self, points: np.ndarray, limit: float, cells: int = FIELD_CELLS):
        low, high = points.min(axis=0) - limit, points.max(axis=0) + limit
        self.limit, self.low = limit, low
        self.step = (high - low) / (cells - 1)
        axes = [low[k] + np.arange(cells) * self.step[k] for k in range(3)]
        grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
        distance, _ = tree_of(points).query(grid, distance_upper_bound=limit)
        inner = np.minimum(distance, limit).reshape((cells,) * 3)
        self.values = np.full((cells + 2,) * 3, limit, dtype=np.float32)  # one layer of "far" around
        self.values[1:-1, 1:-1, 1:-1] = inner
        self.cells = cells

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """Distances float32 [...] at points [...,3]."""
        index = np.rint((points - self.low) / self.step).clip(-1, self.cells).astype(np.int32) + 1
        flat = (index[..., 0] * (self.cells + 2) + index[..., 1]) * (self.cells + 2) + index[..., 2]
        return self.values.reshape(-1)[flat]


@dataclass(frozen=True)
class SearchSettings:
    """The grid: azimuths every 360 / ``azimuths`` degrees, ``scales`` times the ratio of both clouds' sizes, box
    centres together plus every ``shifts`` along each axis; distances cut off at ``truncation``; lengths in half boxes.
    """

    azimuths: int = 24
    scales: tuple[float, ...] = (0.8, 0.9, 1.0, 1.1, 1.25)
    shifts: tuple[float, ...] = (-0.1, -0.05, 0.0, 0.05, 0.1)
    truncation: float = 0.1
    points: int = 2000
    kept: int = 5


def search_similarity(moving: np.ndarray, fixed: np.ndarray, settings: SearchSettings) -> list[Similarity]:
    """The ``kept`` best starts of distinct azimuth, best first, that bring points [P,3] onto points [Q,3]."""
    moving, fixed = moving[: settings.points], fixed[: settings.points]
    ratio = _size(fixed) / max(_size(moving), 1e-12)
    limit = settings.truncation
    around_fixed = DistanceField(fixed, limit)
    around_moving = DistanceField(moving, limit / (ratio * min(settings.scales)))
    shifts = np.array(list(itertools.product(settings.shifts, repeat=3)))
    best = []
    for step in range(settings.azimuths):
        rotation = azimuth_rotation(360 * step / settings.azimuths)
        found = []
        for scale in settings.scales:
            base = _centred(moving, fixed, rotation, ratio * scale)
            scores = _scores(base, shifts, moving, fixed, around_moving, around_fixed, limit)
            chosen = int(scores.argmin())
            found.append((float(scores[chosen]), base.shifted(shifts[chosen])))
        best.append(min(found, key=lambda entry: entry[0]))
    best.sort(key=lambda entry: entry[0])
    return [start for _, start in best[: settings.kept]]


def _size(points: np.ndarray) -> float:
    """Root mean square distance from the centroid: unlike a box, the same for every azimuth."""
    return float(np.sqrt(((points - points.mean(axis=0)) ** 2).sum(axis=1).mean()))


def _centred(moving: np.ndarray, fixed: np.ndarray, rotation: np.ndarray, scale: float) -> Similarity:
    turned = scale * (moving @ rotation.T)
    middle = (fixed.min(axis=0) + fixed.max(axis=0) - turned.min(axis=0) - turned.max(axis=0)) / 2
    return Similarity(scale, rotation, middle)


def _scores(
    base: Similarity,
    shifts: np.ndarray,
    moving: np.ndarray,
    fixed: np.ndarray,
    around_moving: DistanceField,
    around_fixed: DistanceField,
    limit: float,
) -> np.ndarray:
    """Truncated Chamfer distance [S] of every shift [S,3] after ``base``."""
    there = around_fixed(base(moving)[None] + shifts[:, None]).mean(axis=1)
    back_shifts = shifts @ base.rotation / base.scale
    back = around_moving(base.inverse()(fixed)[None] - back_shifts[:, None])
    return there + np.minimum(back * base.scale, limit).mean(axis=1)
