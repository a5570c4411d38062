"""VGGT's point head (a dense prediction transformer): one point and one confidence for each pixel.

S pictures, h x w patches, H x W pixels, C channels.
"""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as functional
from torch import Tensor, nn

from ...progress import Check, tick
from .config import VGGTConfig

POSITION_SHARE = 0.1
POSITION_BASE = 100.0
LAST_CHANNELS = 32


def spread(x: Tensor, size: tuple[int, int]) -> Tensor:
    """Bilinear resampling of maps to ``size`` with their corners kept in place."""
    return functional.interpolate(x, size=size, mode="bilinear", align_corners=True)


def add_positions(x: Tensor, aspect: float) -> Tensor:
    """Maps [S,C,H,W] plus sines and cosines of where each pixel lies in a picture whose width is ``aspect`` heights."""
    channels, height, width = x.shape[1:]
    diagonal = math.hypot(aspect, 1.0)
    along, down = (
        torch.linspace(-1, 1, count, dtype=torch.float64, device=x.device) * extent / diagonal * (count - 1) / count
        for count, extent in ((width, aspect), (height, 1.0))
    )
    quarter = channels // 4
    speed = POSITION_BASE ** -(torch.arange(quarter, dtype=torch.float64, device=x.device) / quarter)
    waves = [speed[:, None] * axis for axis in (along, down)]
    across, downwards = (torch.cat([wave.sin(), wave.cos()]) for wave in waves)  # [C/2,W], [C/2,H]
    size = (channels // 2, height, width)
    table = torch.cat([across[:, None].expand(size), downwards[:, :, None].expand(size)])
    return x + POSITION_SHARE * table.to(x)


class Residual(nn.Module):
    """Two convolutions beside a rectified shortcut: the published layers rectify their input in place."""

    def __init__(self, channels: int, ops: Any, place: dict[str, Any]):
        super().__init__()
        self.conv1 = ops.Conv2d(channels, channels, 3, padding=1, **place)
        self.conv2 = ops.Conv2d(channels, channels, 3, padding=1, **place)

    def forward(self, x: Tensor) -> Tensor:
        x = x.relu()
        return x + self.conv2(self.conv1(x).relu())


class Fusion(nn.Module):
    """Adds a finer level (if any) to what the coarser ones gave, and spreads the result to the next size."""

    def __init__(self, channels: int, joins: bool, ops: Any, place: dict[str, Any]):
        super().__init__()
        if joins:
            self.resConfUnit1 = Residual(channels, ops, place)
        self.resConfUnit2 = Residual(channels, ops, place)
        self.out_conv = ops.Conv2d(channels, channels, 1, **place)

    def forward(self, coarse: Tensor, finer: Tensor | None, size: tuple[int, int]) -> Tensor:
        joined = coarse if finer is None else coarse + self.resConfUnit1(finer)
        return self.out_conv(spread(self.resConfUnit2(joined), size))


class Scratch(nn.Module):
    """Four levels of maps, the first the finest -> one map [S,C,2h',2w'] of twice the first level's size."""

    def __init__(self, channels: tuple[int, ...], features: int, ops: Any, place: dict[str, Any]):
        super().__init__()
        for level, count in enumerate(channels, start=1):
            setattr(self, f"layer{level}_rn", ops.Conv2d(count, features, 3, padding=1, bias=False, **place))
            setattr(self, f"refinenet{level}", Fusion(features, level < len(channels), ops, place))
        self.output_conv1 = ops.Conv2d(features, features // 2, 3, padding=1, **place)
        layers = [ops.Conv2d(features // 2, LAST_CHANNELS, 3, padding=1, **place), nn.ReLU()]
        self.output_conv2 = nn.ModuleList([*layers, ops.Conv2d(LAST_CHANNELS, 4, 1, **place)])

    def forward(self, levels: list[Tensor], check: Check | None = None) -> Tensor:
        maps = [getattr(self, f"layer{number}_rn")(level) for number, level in enumerate(levels, start=1)]
        height, width = maps[0].shape[-2:]
        sizes = [(2 * height, 2 * width), *(tuple(level.shape[-2:]) for level in maps[:-1])]
        fused = self.refinenet4(maps[3], None, sizes[3])
        for number in (3, 2, 1):
            tick(None, check, 4 - number, 4)
            fused = getattr(self, f"refinenet{number}")(fused, maps[number - 1], sizes[number - 1])
        tick(None, check, 4, 4)
        return self.output_conv1(fused)


class PointHead(nn.Module):
    """Tokens [S,L,2W] of four blocks -> points [S,H,W,3] in the first camera's axes, confidence [S,H,W] above 1."""

    def __init__(self, config: VGGTConfig, ops: Any, place: dict[str, Any]):
        super().__init__()
        self.config = config
        width, channels = 2 * config.width, config.point_channels
        self.norm = ops.LayerNorm(width, eps=1e-5, **place)
        self.projects = nn.ModuleList([ops.Conv2d(width, count, 1, **place) for count in channels])
        self.resize_layers = nn.ModuleList(
            [
                ops.ConvTranspose2d(channels[0], channels[0], 4, stride=4, **place),
                ops.ConvTranspose2d(channels[1], channels[1], 2, stride=2, **place),
                nn.Identity(),
                ops.Conv2d(channels[3], channels[3], 3, stride=2, padding=1, **place),
            ]
        )
        self.scratch = Scratch(channels, config.point_features, ops, place)

    def forward(
        self, tapped: list[Tensor], size: tuple[int, int], check: Check | None = None
    ) -> tuple[Tensor, Tensor]:
        """``size``: (H, W) of the pictures, multiples of the patch."""
        aspect = size[1] / size[0]
        grid = tuple(side // self.config.patch for side in size)
        levels = [self._level(number, tokens, grid, aspect) for number, tokens in enumerate(tapped)]
        x = add_positions(spread(self.scratch(levels, check), size), aspect)
        tick(None, check, 1, 1)
        for layer in self.scratch.output_conv2:
            x = layer(x)
        points, confidence = x[:, :3].permute(0, 2, 3, 1), x[:, 3]
        return points.sign() * points.abs().expm1(), 1 + confidence.exp()

    def _level(self, number: int, tokens: Tensor, grid: tuple[int, int], aspect: float) -> Tensor:
        patches = self.norm(tokens[:, self.config.special :]).transpose(1, 2).unflatten(2, grid)
        return self.resize_layers[number](add_positions(self.projects[number](patches), aspect))
