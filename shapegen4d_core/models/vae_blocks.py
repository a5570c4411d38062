"""Blocks of the shape autoencoder: point features, head-major self and cross attention (spec 2.1, 2.4).

``ops`` is the namespace of layer classes (torch.nn or a host's own); ``place`` holds dtype and device.
"""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .layers import attention

NORM_EPS = 1e-5


def point_features(points: Tensor, num_freqs: int, include_pi: bool = False) -> Tensor:
    """Fourier features in float32: points [...,3] -> [..., 3 + 6*num_freqs] (spec 2.1).

    Order: xyz, all sines (coordinate-major), all cosines. Frequencies are 1, 2, 4, ... (times pi).
    """
    points = points.float()
    frequencies = 2.0 ** torch.arange(num_freqs, dtype=torch.float32, device=points.device)
    if include_pi:
        frequencies = frequencies * math.pi
    angles = (points.unsqueeze(-1) * frequencies).flatten(-2)
    return torch.cat([points, angles.sin(), angles.cos()], dim=-1)


def split_heads(packed: Tensor, heads: int, parts: int) -> tuple[Tensor, ...]:
    """Undo head-major packing: [B,N,heads*parts*D] -> ``parts`` tensors [B,heads,N,D].

    The channels of one head are contiguous: q|k|v of head 0, then q|k|v of head 1 and so on.
    """
    batch, tokens, channels = packed.shape
    unpacked = packed.view(batch, tokens, heads, parts, channels // (heads * parts))
    return unpacked.permute(3, 0, 2, 1, 4).unbind(0)


def merge_heads(split: Tensor) -> Tensor:
    """[B,H,N,D] -> [B,N,H*D]."""
    return split.transpose(1, 2).flatten(2)


class MLP(nn.Module):
    """Linear, exact GELU, Linear: [B,N,W] -> [B,N,W]."""

    def __init__(self, width: int, ratio: int, ops: Any, place: dict[str, Any]):
        super().__init__()
        self.c_fc = ops.Linear(width, width * ratio, **place)
        self.c_proj = ops.Linear(width * ratio, width, **place)

    def forward(self, x: Tensor) -> Tensor:
        return self.c_proj(F.gelu(self.c_fc(x)))


class SelfAttention(nn.Module):
    """Multi-head attention of a set on itself: [B,N,W] -> [B,N,W]."""

    def __init__(self, width: int, heads: int, bias: bool, ops: Any, place: dict[str, Any]):
        super().__init__()
        self.heads = heads
        self.c_qkv = ops.Linear(width, 3 * width, bias=bias, **place)
        self.c_proj = ops.Linear(width, width, **place)

    def forward(self, x: Tensor) -> Tensor:
        return self.c_proj(merge_heads(attention(*split_heads(self.c_qkv(x), self.heads, 3))))


class CrossAttention(nn.Module):
    """Multi-head attention of x [B,N,W] on data [B,M,W], its keys and values computable once."""

    def __init__(self, width: int, heads: int, bias: bool, ops: Any, place: dict[str, Any]):
        super().__init__()
        self.heads = heads
        self.c_q = ops.Linear(width, width, bias=bias, **place)
        self.c_kv = ops.Linear(width, 2 * width, bias=bias, **place)
        self.c_proj = ops.Linear(width, width, **place)

    def keys_values(self, data: Tensor) -> tuple[Tensor, Tensor]:
        """[B,M,W] -> keys and values [B,H,M,D]."""
        return split_heads(self.c_kv(data), self.heads, 2)

    def forward(self, x: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        (query,) = split_heads(self.c_q(x), self.heads, 1)
        return self.c_proj(merge_heads(attention(query, keys, values)))


class SelfBlock(nn.Module):
    """Pre-norm self attention and MLP: [B,N,W] -> [B,N,W]."""

    def __init__(self, width: int, heads: int, bias: bool, ratio: int, ops: Any, place: dict[str, Any]):
        super().__init__()
        self.attn = SelfAttention(width, heads, bias, ops, place)
        self.ln_1 = ops.LayerNorm(width, eps=NORM_EPS, **place)
        self.mlp = MLP(width, ratio, ops, place)
        self.ln_2 = ops.LayerNorm(width, eps=NORM_EPS, **place)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attn(self.ln_1(x))
        return x + self.mlp(self.ln_2(x))


class CrossBlock(nn.Module):
    """Pre-norm cross attention of x [B,N,W] on data [B,M,W], then an MLP."""

    def __init__(self, width: int, heads: int, bias: bool, ratio: int, ops: Any, place: dict[str, Any]):
        super().__init__()
        self.attn = CrossAttention(width, heads, bias, ops, place)
        self.ln_1 = ops.LayerNorm(width, eps=NORM_EPS, **place)
        self.ln_2 = ops.LayerNorm(width, eps=NORM_EPS, **place)
        self.mlp = MLP(width, ratio, ops, place)
        self.ln_3 = ops.LayerNorm(width, eps=NORM_EPS, **place)

    def keys_values(self, data: Tensor) -> tuple[Tensor, Tensor]:
        """What :meth:`attend` needs of the data [B,M,W]."""
        return self.attn.keys_values(self.ln_2(data))

    def attend(self, x: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        """The block for x [B,N,W] given keys and values [B,H,M,D]."""
        x = x + self.attn(self.ln_1(x), keys, values)
        return x + self.mlp(self.ln_3(x))

    def forward(self, x: Tensor, data: Tensor) -> Tensor:
        return self.attend(x, *self.keys_values(data))


class SelfStack(nn.Module):
    """Self blocks one after the other, under the published name ``resblocks``."""

    def __init__(
        self, layers: int, width: int, heads: int, bias: bool, ratio: int, ops: Any, place: dict[str, Any]
    ):
        super().__init__()
        self.resblocks = nn.ModuleList(
            SelfBlock(width, heads, bias, ratio, ops, place) for _ in range(layers)
        )

    def forward(self, x: Tensor) -> Tensor:
        for block in self.resblocks:
            x = block(x)
        return x
