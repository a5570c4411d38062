"""Choosing points: farthest point sampling."""

from __future__ import annotations

import torch
from torch import Tensor

from ..errors import InputError


def farthest_point_sampling(points: Tensor, count: int, start: int = 0) -> Tensor:
    """Greedy farthest point sampling, the same result every time.

    points: [B,P,3] positions in any unit; count: 1..P; start: index of the first point of every item.
    Returns indices [B,count] int64: each next one has the largest distance to those already chosen, the
    lowest index on ties. Raises InputError when ``count`` or ``start`` does not fit the cloud.
    """
    batch, size = _checked_size(points)
    if not 1 <= count <= size:
        raise InputError(f"Cannot choose {count} of {size} points; give a count between 1 and {size}.")
    if not 0 <= start < size:
        raise InputError(f"The start index {start} is outside the cloud of {size} points.")
    coordinates = points.detach().transpose(1, 2).contiguous()  # [B,3,P]: long rows for the inner loop
    nearest = coordinates.new_full((batch, size), float("inf"))  # squared distance to the chosen set
    chosen = torch.empty(batch, count, dtype=torch.int64, device=points.device)
    current = torch.full((batch,), start, dtype=torch.int64, device=points.device)
    rows = torch.arange(batch, device=points.device)
    for step in range(count):
        chosen[:, step] = current
        offset = coordinates - coordinates[rows, :, current].unsqueeze(-1)
        nearest = torch.minimum(nearest, offset.square_().sum(dim=1))
        current = nearest.argmax(dim=1)
    return chosen


def _checked_size(points: Tensor) -> tuple[int, int]:
    if points.ndim != 3 or points.shape[-1] != 3:
        raise InputError(f"Farthest point sampling takes points [B,P,3]; it was given {list(points.shape)}.")
    return points.shape[0], points.shape[1]
