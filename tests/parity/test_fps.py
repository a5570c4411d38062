"""Farthest point sampling against golden/fps: indices exact."""

from __future__ import annotations

import pytest
import torch

from shapegen4d_core.geometry.sampling import farthest_point_sampling


@pytest.fixture(scope="module")
def case(golden):
    return golden("fps")


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_indices(case, dtype):
    index = farthest_point_sampling(case.io["points"].to(dtype), case.config["num_samples"], case.config["start_index"])
    assert torch.equal(index, case.io["index"])
