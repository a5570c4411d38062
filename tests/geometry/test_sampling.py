"""Farthest point sampling: against a plain loop, its properties, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from shapegen4d_core.errors import InputError
from shapegen4d_core.geometry.sampling import farthest_point_sampling


def plain(points: np.ndarray, count: int, start: int) -> list[int]:
    chosen = [start]
    while len(chosen) < count:
        distance = ((points[:, None] - points[None, chosen]) ** 2).sum(-1).min(axis=1)
        chosen.append(int(np.argmax(distance)))
    return chosen


@pytest.mark.parametrize("start", [0, 17])
def test_equals_a_plain_loop_for_each_item(start):
    points = torch.rand(3, 60, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    index = farthest_point_sampling(points, 25, start)
    assert index.dtype == torch.int64
    assert index.tolist() == [plain(item.numpy(), 25, start) for item in points]


def test_ties_go_to_the_lowest_index():
    corners = torch.tensor([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 1], [1, 1, 1]]).float()
    assert farthest_point_sampling(corners[None], 4).tolist() == [[0, 4, 1, 2]]


def test_all_points_once_and_the_input_untouched():
    points = torch.rand(1, 12, 3)
    kept = points.clone()
    assert sorted(farthest_point_sampling(points, 12)[0].tolist()) == list(range(12))
    assert torch.equal(points, kept)


@pytest.mark.parametrize("shape, count, start, words", [
    ((1, 5, 3), 6, 0, "6 of 5"), ((1, 5, 3), 0, 0, "0 of 5"), ((1, 5, 3), 2, 5, "start index 5"),
    ((5, 3), 2, 0, r"\[5, 3\]"), ((1, 5, 6), 2, 0, r"\[1, 5, 6\]"),
])  # fmt: skip
def test_refused(shape, count, start, words):
    with pytest.raises(InputError, match=words):
        farthest_point_sampling(torch.zeros(shape), count, start)
