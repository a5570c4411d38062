"""The sampling grid and the plain dense path."""

from __future__ import annotations

import pytest
import torch

from shapegen4d_core.decoding.dense import Dense
from shapegen4d_core.decoding.grid import Grid
from shapegen4d_core.decoding.memory import ChunkedField


@pytest.mark.parametrize("resolution", [8, 11, 384])
def test_axis_divides_by_cells(resolution):
    axis = Grid(resolution, 1.05).axis()
    assert axis.dtype == torch.float32 and len(axis) == resolution + 1
    expected = [-1.05 + 2.1 * i / resolution for i in range(resolution + 1)]
    assert torch.allclose(axis.double(), torch.tensor(expected, dtype=torch.float64), atol=1e-7)
    assert axis[0] == -axis[-1]


def test_points_follow_the_order_of_the_values():
    grid = Grid(9, 0.7)
    axis = grid.axis()
    everything = torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij"), -1).view(-1, 3)
    assert torch.equal(grid.points(torch.arange(grid.count), axis), everything)
    assert grid.count == 1000 and grid.cell == pytest.approx(1.4 / 9)


@pytest.mark.parametrize("chunk", [1, 97, 1 << 20])
def test_dense_evaluates_every_vertex_once(chunk):
    grid = Grid(8, 1.0)

    def plane(p):
        return p[:, 0] + 10 * p[:, 1] + 100 * p[:, 2]

    sample = Dense(grid)(ChunkedField(plane, chunk))
    axis = grid.axis()
    expected = axis[:, None, None] + 10 * axis[:, None] + 100 * axis
    assert torch.allclose(sample.values, expected, atol=1e-5)
    assert sample.evaluations == 9**3
