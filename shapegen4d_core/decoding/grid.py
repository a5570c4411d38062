"""The sampling grid: R cells and R+1 vertices per axis, vertex i at ``-b + 2b*i/R``.

Flat indices are in C order of the (x,y,z) vertex index.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Grid:
    """Vertices of a cube [-bounds, bounds]^3 cut into ``resolution`` cells per axis."""

    resolution: int
    bounds: float

    @property
    def side(self) -> int:
        """Vertices per axis."""
        return self.resolution + 1

    @property
    def count(self) -> int:
        """Vertices in all."""
        return self.side**3

    @property
    def cell(self) -> float:
        """Side of a cell, in half boxes."""
        return 2 * self.bounds / self.resolution

    def axis(self, device: torch.device | str = "cpu") -> Tensor:
        """Coordinates float32 [R+1] of the vertices along one axis."""
        index = torch.arange(self.side, dtype=torch.float64)
        return (index * (2 * self.bounds / self.resolution) - self.bounds).float().to(device)

    def points(self, flat: Tensor, axis: Tensor) -> Tensor:
        """Points float32 [P,3] of vertices with flat index int64 [P], given :meth:`axis`."""
        rest = flat // self.side
        return axis[torch.stack([rest // self.side, rest % self.side, flat % self.side], dim=1)]


@dataclass(frozen=True)
class GridSample:
    """Field values float32 [R+1,R+1,R+1] relative to the level, and how many points were evaluated."""

    grid: Grid
    values: Tensor
    evaluations: int
