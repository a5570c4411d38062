"""The coarse-to-fine grid and coordinates of the Step1X-3D release (spec 6.1, 6.2), for comparisons only.

It differs from ours on purpose: levels halve the resolution and are evaluated in full around the surface,
vertices in between are NaN, and mesh coordinates divide by the number of vertices instead of cells, which
shifts the mesh by up to one cell. V grid vertices per axis.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as functional
from skimage.measure import marching_cubes
from torch import Tensor

from .grid import Grid, GridSample
from .memory import ChunkedField

MIN_RESOLUTION = 63
NEAR_SURFACE = 0.95


def level_resolutions(resolution: int, min_resolution: int = MIN_RESOLUTION) -> list[int]:
    """Cells per axis of each level, coarse to fine: halved while at least ``min_resolution``."""
    levels = [resolution]
    while levels[-1] // 2 >= min_resolution:
        levels.append(levels[-1] // 2)
    return levels[::-1]


@dataclass(frozen=True)
class Level:
    """One level of the published sampler: its resolution and the points float32 [P,3] it evaluated."""

    resolution: int
    points: Tensor


class Published:
    """Samples a field as the release does; with ``keep``, ``levels`` holds the points of the last call."""

    def __init__(
        self,
        grid: Grid,
        min_resolution: int = MIN_RESOLUTION,
        near: float = NEAR_SURFACE,
        device: torch.device | str = "cpu",
        keep: bool = False,
    ):
        self.grid, self.near, self.device, self.keep = grid, near, device, keep
        self.resolutions = level_resolutions(grid.resolution, min_resolution)
        self.levels: list[Level] = []

    def __call__(self, field: ChunkedField) -> GridSample:
        """Values of ``field`` around its surface, NaN elsewhere."""
        before = field.evaluations
        self.levels = []
        values = None
        for resolution in self.resolutions:
            values = self._level(values, resolution, field)
        return GridSample(self.grid, values, field.evaluations - before)

    def _level(self, coarse: Tensor | None, resolution: int, field: ChunkedField) -> Tensor:
        """Values [V,V,V] of one level, given those of the level before."""
        side = resolution + 1
        if coarse is None:
            chosen = torch.ones((side,) * 3, dtype=torch.bool, device=self.device)
        else:
            chosen = self._around(coarse, side, last=resolution == self.resolutions[-1])
        axis = self._axis(resolution, first=coarse is None)
        index = chosen.nonzero()
        values = torch.full((side,) * 3, torch.nan, device=self.device)
        points = axis[index]
        values[chosen] = field(points)
        if self.keep:
            self.levels.append(Level(resolution, points))
        return values

    def _axis(self, resolution: int, first: bool) -> Tensor:
        """Coordinates float32 [V], in the release's own arithmetic, which rounds differently from ours."""
        bounds = self.grid.bounds
        if first:
            return torch.linspace(-bounds, bounds, resolution + 1, device=self.device)
        index = torch.arange(resolution + 1, dtype=torch.float32, device=self.device)
        return index * (2 * bounds / resolution) - bounds

    def _around(self, coarse: Tensor, side: int, last: bool) -> Tensor:
        """Mask [side]^3 of the vertices to evaluate around the surface seen by the ``coarse`` level."""
        candidates = _sign_changes(coarse) | (coarse.abs() < self.near)  # NaN compares as False
        if not last:
            candidates = _dilate(candidates)
        x, y, z = (2 * candidates.nonzero()).unbind(1)
        chosen = torch.zeros((side,) * 3, dtype=torch.bool, device=self.device)
        chosen[x, y, z] = True
        chosen = _dilate(chosen)
        return _dilate(chosen) if last else chosen


def _sign_changes(values: Tensor) -> Tensor:
    """Evaluated vertices whose sign (-1, 0, 1) differs from an evaluated axis neighbour's: bool [V,V,V]."""
    sign, known = values.sign(), ~values.isnan()
    changes = torch.zeros_like(known)
    for axis in range(3):
        count = values.shape[axis] - 1
        low, high = (slice(None),) * axis + (slice(0, count),), (slice(None),) * axis + (slice(1, None),)
        differs = (sign[low] != sign[high]) & known[low] & known[high]
        changes[low] |= differs
        changes[high] |= differs
    return changes


def _dilate(mask: Tensor) -> Tensor:
    """The mask [V,V,V] and its 26-neighbours."""
    return functional.max_pool3d(mask[None, None].float(), 3, stride=1, padding=1)[0, 0] > 0


def extract_published(sample: GridSample) -> tuple[np.ndarray, np.ndarray]:
    """Vertices float32 [V,3] and faces int32 [F,3] as released, without the vertices made of NaN.

    Not closed where NaN vertices meet the surface or where the surface meets the box; maybe empty.
    """
    grid, values = sample.grid, sample.values.cpu().numpy()
    above = values > 0  # NaN counts as outside
    if not above.any() or above.all():
        return np.zeros((0, 3), np.float32), np.zeros((0, 3), np.int32)
    index, faces, _, _ = marching_cubes(values, 0.0, mask=None)
    vertices = index / grid.side * (2 * grid.bounds) - grid.bounds
    finite = np.isfinite(vertices).all(axis=1)
    number = np.cumsum(finite) - 1
    kept = faces[finite[faces].all(axis=1)][:, ::-1]
    return vertices[finite].astype(np.float32), np.ascontiguousarray(number[kept], dtype=np.int32)
