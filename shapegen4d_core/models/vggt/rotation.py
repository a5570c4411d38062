"""Two-dimensional rotary positions: half of a head's channels turn with the row of a patch, half with its column."""

from __future__ import annotations

import torch
from torch import Tensor

BASE = 100.0


def patch_positions(rows: int, columns: int, special: int, device: torch.device) -> Tensor:
    """Row and column [special+rows*columns,2], counted from 1 for patches and 0 for the ``special`` tokens first."""
    grid = torch.cartesian_prod(torch.arange(rows, device=device), torch.arange(columns, device=device)) + 1
    return torch.cat([grid.new_zeros(special, 2), grid])


class Rotation:
    """Turns queries or keys [F,L,H,D] by the positions [L,2] it was made for; D is a multiple of 4."""

    def __init__(self, positions: Tensor, head_width: int) -> None:
        quarter = head_width // 4
        speed = BASE ** -(torch.arange(quarter, dtype=torch.float32, device=positions.device) / quarter)
        angle = positions.float()[:, None, :, None] * speed  # [L,1,2,D/4]
        self.cosine, self.sine = angle.cos(), angle.sin()

    def __call__(self, x: Tensor) -> Tensor:
        first, second = x.unflatten(-1, (2, 2, -1)).unbind(-2)  # [F,L,H,2,D/4] each
        turned = (first * self.cosine - second * self.sine, second * self.cosine + first * self.sine)
        return torch.stack(turned, dim=-2).flatten(-3)
