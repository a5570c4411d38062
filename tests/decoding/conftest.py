"""Analytic fields for the decoding tests: signed distances (positive inside) and their truncated fields."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

Distance = Callable[[Tensor], Tensor]


class Shapes:
    """Exact distances of simple shapes as functions of points [P,3], and how to make fields of them."""

    @staticmethod
    def ball(centre, radius) -> Distance:
        return lambda p: radius - (p - torch.tensor(centre)).square().sum(1).sqrt()

    @staticmethod
    def shell(centre, radius, wall) -> Distance:
        return lambda p: wall / 2 - Shapes.ball(centre, radius)(p).abs()

    @staticmethod
    def torus(ring, tube) -> Distance:
        return lambda p: tube - torch.hypot(torch.hypot(p[:, 0], p[:, 1]) - ring, p[:, 2])

    @staticmethod
    def slab(centre, half) -> Distance:
        """A box, by the least of the three axis distances: at most the true distance."""

        def distance(p: Tensor) -> Tensor:
            x, y, z = p.unbind(1)
            (a, b, c), (i, j, k) = centre, half
            return torch.minimum(torch.minimum(i - (x - a).abs(), j - (y - b).abs()), k - (z - c).abs())

        return distance

    @staticmethod
    def union(*parts: Distance) -> Distance:
        return lambda p: torch.stack([part(p) for part in parts]).amax(0)

    @staticmethod
    def field(distance: Distance, truncation: float) -> Distance:
        return lambda p: (distance(p) / truncation).clamp(-1, 1)

    @staticmethod
    def metaballs(seed: int, count: int = 5, extent: float = 0.8) -> Distance:
        """A smooth field in [-1,1] that is not a distance; blobs may touch the box."""
        random = np.random.default_rng(seed)
        centres = torch.tensor(random.uniform(-extent, extent, (count, 3)), dtype=torch.float32)
        sizes = torch.tensor(random.uniform(0.1, 0.35, count), dtype=torch.float32)

        def field(p: Tensor) -> Tensor:
            squared = (p[:, None] - centres).square().sum(-1)
            return torch.tanh(2 * ((-squared / sizes**2).exp().sum(-1) - 0.5))

        return field


@pytest.fixture(scope="session")
def shapes() -> type[Shapes]:
    return Shapes
