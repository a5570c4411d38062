"""The plain path: the field at every vertex of the grid. The reference of the coarse-to-fine path."""

from __future__ import annotations

import torch

from .grid import Grid, GridSample
from .memory import ChunkedField


class Dense:
    """Samples a field at all (R+1)^3 vertices of ``grid``, a few rows of points at a time in memory."""

    def __init__(self, grid: Grid, device: torch.device | str = "cpu"):
        self.grid = grid
        self.axis = grid.axis(device)

    def __call__(self, field: ChunkedField) -> GridSample:
        """Values of ``field`` on the whole grid."""
        before = field.evaluations
        side, axis = self.grid.side, self.axis
        values = torch.empty((side * side, side), dtype=torch.float32, device=axis.device)
        rows = max(1, field.chunk // side)  # a row runs along z
        for start in range(0, side * side, rows):
            row = torch.arange(start, min(start + rows, side * side), device=axis.device)
            points = torch.empty((len(row), side, 3), device=axis.device)
            points[..., 0] = axis[row // side, None]
            points[..., 1] = axis[row % side, None]
            points[..., 2] = axis
            values[row[0] : row[-1] + 1] = field(points.view(-1, 3)).view(len(row), side)
        return GridSample(self.grid, values.view(side, side, side), field.evaluations - before)
