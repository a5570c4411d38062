"""VGGT's trunk: patch tokens of every picture, then blocks within pictures and across them in turn.

S pictures, L tokens of each (camera, registers, patches), W width.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from ...progress import Check, Progress, tick
from ..config import IMAGENET_MEAN, IMAGENET_STD
from ..vit import Block, VisionTransformer, exact
from .config import VGGTConfig
from .rotation import Rotation, patch_positions


class Aggregator(nn.Module):
    """Pictures [S,3,H,W] in 0..1 -> tokens [S,L,2W] float32 after the blocks asked for."""

    def __init__(self, config: VGGTConfig, ops: Any, place: dict[str, Any]):
        super().__init__()
        self.config = config
        width, floats = config.width, exact(place)
        self.camera_token = nn.Parameter(torch.zeros(1, 2, 1, width, **floats))
        self.register_token = nn.Parameter(torch.zeros(1, 2, config.registers, width, **floats))
        self.patch_embed = VisionTransformer(config.picture_encoder(), ops, place)
        self.frame_blocks = nn.ModuleList([Block(config.block(), ops, place) for _ in range(config.depth)])
        self.global_blocks = nn.ModuleList([Block(config.block(), ops, place) for _ in range(config.depth)])

    def forward(
        self,
        pictures: Tensor,
        wanted: Iterable[int],
        dtype: torch.dtype,
        progress: Progress | None = None,
        check: Check | None = None,
    ) -> dict[int, Tensor]:
        """Tokens [S,L,2W] by the number of the block pair: those within pictures, then those across them."""
        x = self._tokens(pictures, dtype, check)
        rows, columns = (side // self.config.patch for side in pictures.shape[-2:])
        positions = patch_positions(rows, columns, self.config.special, x.device)
        head_width = self.config.width // self.config.heads
        within, across = Rotation(positions, head_width), Rotation(positions.repeat(len(x), 1), head_width)
        wanted, found = set(wanted), {}
        for number, (frame_block, global_block) in enumerate(zip(self.frame_blocks, self.global_blocks)):
            own = frame_block(x, dtype, within, check)
            x = global_block(own.flatten(0, 1)[None], dtype, across, check)[0].unflatten(0, own.shape[:2])
            if number in wanted:
                found[number] = torch.cat([own, x], dim=-1)
            tick(progress, check, number + 1, self.config.depth)
        return found

    def _tokens(self, pictures: Tensor, dtype: torch.dtype, check: Check | None) -> Tensor:
        """Camera and register tokens, of one kind for the first picture and another for the rest, and patches."""
        mean, deviation = (pictures.new_tensor(values)[:, None, None] for values in (IMAGENET_MEAN, IMAGENET_STD))
        patches = self.patch_embed((pictures - mean) / deviation, dtype, check)[:, 1 + self.config.registers :]
        kind = torch.tensor([0] + [1] * (len(pictures) - 1), device=pictures.device)
        tables = (table.to(pictures.device)[0, kind] for table in (self.camera_token, self.register_token))
        return torch.cat([*tables, patches], dim=1)
