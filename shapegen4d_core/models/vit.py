"""Vision transformers under the names their authors publish (``blocks.0.attn.qkv``), for VGGT and DreamSim.

Norms and the residual stream stay in float32 whatever type the large layers have: sums over dozens of blocks lose
too many digits otherwise. F pictures, L tokens, W width, H heads, D = W / H.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as functional
from torch import Tensor, nn

from ..progress import Check, tick
from .config import check_heads
from .layers import token_attention

Turn = Callable[[Tensor], Tensor]


def exact(place: dict[str, Any]) -> dict[str, Any]:
    """The same place for parameters that are kept in float32."""
    return {**place, "dtype": torch.float32}


def quick_gelu(x: Tensor) -> Tensor:
    """x * sigmoid(1.702 x), the activation of OpenAI's CLIP."""
    return x * torch.sigmoid(1.702 * x)


def resampled_positions(table: Tensor, side: int, rows: int, columns: int) -> Tensor:
    """A position table [1,1+side*side,W], first the class token, for rows x columns patches: [1,1+rows*columns,W].

    Bicubic with antialiasing in float32; the table itself when nothing changes.
    """
    if (rows, columns) == (side, side):
        return table
    grid = table[:, 1:].float().unflatten(1, (side, side)).permute(0, 3, 1, 2)
    grid = functional.interpolate(grid, size=(rows, columns), mode="bicubic", align_corners=False, antialias=True)
    return torch.cat([table[:, :1], grid.flatten(2).transpose(1, 2).to(table)], dim=1)


class SelfAttention(nn.Module):
    """Multi-head self attention [F,L,W] -> [F,L,W], with norms on queries and keys if ``head_norm``."""

    def __init__(self, width: int, heads: int, head_norm: bool, ops: Any, place: dict[str, Any]):
        super().__init__()
        self.heads = heads
        self.qkv = ops.Linear(width, 3 * width, **place)
        self.q_norm = ops.LayerNorm(width // heads, eps=1e-5, **exact(place)) if head_norm else None
        self.k_norm = ops.LayerNorm(width // heads, eps=1e-5, **exact(place)) if head_norm else None
        self.proj = ops.Linear(width, width, **place)

    def forward(self, x: Tensor, turn: Turn | None = None) -> Tensor:
        """``turn`` rotates queries and keys [F,L,H,D] by their positions."""
        q, k, v = self.qkv(x).unflatten(-1, (3, self.heads, -1)).unbind(-3)
        if self.q_norm is not None:
            q, k = self.q_norm(q.float()), self.k_norm(k.float())
        if turn is not None:
            q, k = turn(q.float()), turn(k.float())
        return self.proj(token_attention(q.to(v.dtype), k.to(v.dtype), v))


class Perceptron(nn.Module):
    """Linear, exact or quick GELU, Linear."""

    def __init__(self, width: int, hidden: int, quick: bool, ops: Any, place: dict[str, Any], out: int | None = None):
        super().__init__()
        self.activation = quick_gelu if quick else functional.gelu
        self.fc1 = ops.Linear(width, hidden, **place)
        self.fc2 = ops.Linear(hidden, out or width, **place)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(self.activation(self.fc1(x)))


class ChannelScale(nn.Module):
    """Learned factor per channel."""

    def __init__(self, width: int, place: dict[str, Any]):
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(width, **exact(place)))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gamma.to(x.device)


@dataclass(frozen=True)
class BlockConfig:
    """One transformer block: ``hidden`` channels in the middle of its perceptron, norms with ``eps``."""

    width: int
    heads: int
    hidden: int
    eps: float = 1e-5
    head_norm: bool = False
    scaled: bool = True
    quick: bool = False

    def __post_init__(self) -> None:
        check_heads("vision transformer", self.width, self.heads)


class Block(nn.Module):
    """Pre-norm transformer block: float32 [F,L,W] -> [F,L,W], its large layers fed with ``dtype``."""

    def __init__(self, config: BlockConfig, ops: Any, place: dict[str, Any]):
        super().__init__()
        width = config.width
        self.norm1 = ops.LayerNorm(width, eps=config.eps, **exact(place))
        self.attn = SelfAttention(width, config.heads, config.head_norm, ops, place)
        self.ls1 = ChannelScale(width, place) if config.scaled else nn.Identity()
        self.norm2 = ops.LayerNorm(width, eps=config.eps, **exact(place))
        self.mlp = Perceptron(width, config.hidden, config.quick, ops, place)
        self.ls2 = ChannelScale(width, place) if config.scaled else nn.Identity()

    def forward(
        self, x: Tensor, dtype: torch.dtype, turn: Turn | None = None, check: Check | None = None
    ) -> Tensor:
        """``check`` is called before each half and may raise to stop."""
        tick(None, check, 0, 2)
        x = x + self.ls1(self.attn(self.norm1(x).to(dtype), turn))
        tick(None, check, 1, 2)
        return x + self.ls2(self.mlp(self.norm2(x).to(dtype)))


@dataclass(frozen=True)
class ViTConfig:
    """A vision transformer of ``depth`` blocks over patches of ``patch`` pixels, positions for ``side`` x ``side``.

    ``first_norm``: a norm before the blocks (CLIP; its published name is ``pos_drop``); ``last_norm``: one after them.
    """

    block: BlockConfig
    depth: int
    patch: int
    side: int
    registers: int = 0
    first_norm: bool = False
    last_norm: bool = True


class VisionTransformer(nn.Module):
    """Normalised pixels [F,3,H,W] -> tokens float32 [F,1+R+P,W]: class, R registers, P patches; sides fit the patch."""

    def __init__(self, config: ViTConfig, ops: Any, place: dict[str, Any]):
        super().__init__()
        self.config = config
        width, eps, floats = config.block.width, config.block.eps, exact(place)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width, **floats))
        self.pos_embed = nn.Parameter(torch.zeros(1, 1 + config.side**2, width, **floats))
        if config.registers:
            self.register_tokens = nn.Parameter(torch.zeros(1, config.registers, width, **floats))
        projection = ops.Conv2d(3, width, config.patch, stride=config.patch, **place)
        self.patch_embed = nn.ModuleDict({"proj": projection})
        self.pos_drop = ops.LayerNorm(width, eps=eps, **floats) if config.first_norm else nn.Identity()
        self.blocks = nn.ModuleList([Block(config.block, ops, place) for _ in range(config.depth)])
        self.norm = ops.LayerNorm(width, eps=eps, **floats) if config.last_norm else nn.Identity()

    def forward(self, pixels: Tensor, dtype: torch.dtype, check: Check | None = None) -> Tensor:
        x = self.pos_drop(self._embed(pixels, dtype))
        for block in self.blocks:
            x = block(x, dtype, check=check)
        return self.norm(x)

    def _embed(self, pixels: Tensor, dtype: torch.dtype) -> Tensor:
        frames, (height, width), patch = len(pixels), pixels.shape[-2:], self.config.patch
        patches = self.patch_embed["proj"](pixels.to(dtype)).float().flatten(2).transpose(1, 2)
        first = self.cls_token.to(patches.device).expand(frames, -1, -1)
        table = resampled_positions(self.pos_embed, self.config.side, height // patch, width // patch)
        x = torch.cat([first, patches], dim=1) + table.to(patches.device)
        if not self.config.registers:
            return x
        registers = self.register_tokens.to(patches.device).expand(frames, -1, -1)
        return torch.cat([x[:, :1], registers, x[:, 1:]], dim=1)
