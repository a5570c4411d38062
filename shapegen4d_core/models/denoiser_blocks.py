"""The two block types of the denoiser: dual stream and single stream (spec 1.6 and 1.7).

Legend: F flat frames, M condition tokens, N latents, L = M + N (conditions first), W width.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as functional
from torch import Tensor, nn

from .layers import FeedForward, ModulatedNorm, by_rows, clamp_half, gated, token_attention
from .tensor_ops import split_heads

Mix = Callable[[Tensor, Tensor, Tensor], Tensor]


class DualAttention(nn.Module):
    """Joint attention over two streams with separate projections and per-head norms."""

    def __init__(self, width: int, heads: int, ops: Any = nn, **factory: Any) -> None:
        super().__init__()
        self.heads = heads
        for name in ("to_q", "to_k", "to_v", "add_q_proj", "add_k_proj", "add_v_proj", "to_add_out"):
            setattr(self, name, ops.Linear(width, width, **factory))
        self.to_out = nn.ModuleList([ops.Linear(width, width, **factory)])
        for name in ("norm_q", "norm_k", "norm_added_q", "norm_added_k"):
            setattr(self, name, ops.RMSNorm(width // heads, eps=1e-6, **factory))

    def forward(self, context: Tensor, latents: Tensor, key_bias: Tensor | None) -> tuple[Tensor, Tensor]:
        """context [F, M, W], latents [F, N, W], key_bias [M+N] or None -> both streams after attention."""
        h, count = self.heads, context.shape[1]
        q = [
            self.norm_added_q(split_heads(self.add_q_proj(context), h)),
            self.norm_q(split_heads(self.to_q(latents), h)),
        ]
        k = [
            self.norm_added_k(split_heads(self.add_k_proj(context), h)),
            self.norm_k(split_heads(self.to_k(latents), h)),
        ]
        v = [split_heads(self.add_v_proj(context), h), split_heads(self.to_v(latents), h)]
        mixed = token_attention(torch.cat(q, 1), torch.cat(k, 1), torch.cat(v, 1), key_bias)
        return self.to_add_out(mixed[:, :count]), self.to_out[0](mixed[:, count:])


class DualBlock(nn.Module):
    """Conditions and latents keep their own weights and meet in joint attention (spec 1.6)."""

    def __init__(self, width: int, heads: int, mlp_ratio: int, ops: Any = nn, **factory: Any) -> None:
        super().__init__()
        self.norm1 = ModulatedNorm(width, 6, ops, **factory)
        self.norm1_context = ModulatedNorm(width, 6, ops, **factory)
        self.attn = DualAttention(width, heads, ops, **factory)
        self.ff = FeedForward(width, mlp_ratio, ops, **factory)
        self.ff_context = FeedForward(width, mlp_ratio, ops, **factory)

    def forward(
        self, context: Tensor, latents: Tensor, condition: Tensor, key_bias: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """context [F, M, W], latents [F, N, W], condition [F, W] (SiLU of the time vector) -> both, new."""
        x_mod, y_mod = self.norm1.vectors(condition), self.norm1_context.vectors(condition)
        y_out, x_out = self.attn(
            self.norm1_context(context, y_mod[0], y_mod[1]), self.norm1(latents, x_mod[0], x_mod[1]), key_bias
        )
        context, latents = gated(context, y_mod[2], y_out), gated(latents, x_mod[2], x_out)
        latents = gated(latents, x_mod[5], self.ff(self.norm1(latents, x_mod[3], x_mod[4])))
        context = gated(context, y_mod[5], self.ff_context(self.norm1_context(context, y_mod[3], y_mod[4])))
        return clamp_half(context), latents


class SelfAttention(nn.Module):
    """Query, key and value projections with per-head norms; the block that owns it mixes and projects out."""

    def __init__(self, width: int, heads: int, ops: Any = nn, **factory: Any) -> None:
        super().__init__()
        self.heads = heads
        for name in ("to_q", "to_k", "to_v"):
            setattr(self, name, ops.Linear(width, width, **factory))
        for name in ("norm_q", "norm_k"):
            setattr(self, name, ops.RMSNorm(width // heads, eps=1e-6, **factory))

    def query(self, x: Tensor) -> Tensor:
        """[F, Q, W] -> normed queries [F, Q, H, D]."""
        return self.norm_q(split_heads(self.to_q(x), self.heads))

    def key_value(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """[F, L, W] -> normed keys and values [F, L, H, D]."""
        return self.norm_k(split_heads(self.to_k(x), self.heads)), split_heads(self.to_v(x), self.heads)


class SingleBlock(nn.Module):
    """Parallel attention and feed-forward over one joint sequence (spec 1.7)."""

    def __init__(self, width: int, heads: int, mlp_ratio: int, ops: Any = nn, **factory: Any) -> None:
        super().__init__()
        self.norm = ModulatedNorm(width, 3, ops, **factory)
        self.attn = SelfAttention(width, heads, ops, **factory)
        self.proj_mlp = ops.Linear(width, mlp_ratio * width, **factory)
        self.proj_out = ops.Linear((1 + mlp_ratio) * width, width, **factory)

    def forward(
        self,
        z: Tensor,
        condition: Tensor,
        mix: Mix = token_attention,
        parts: Sequence[slice] = (slice(None),),
        strength: float = 1.0,
    ) -> tuple[Tensor, ...]:
        """z [F, L, W], condition [F, W] (SiLU of the time vector) -> the rows of z in each part, updated.

        Every row serves as key and value; only rows in ``parts`` are queries: rows nobody reads cost nothing.
        ``mix`` maps q [F, Q, H, D], k, v [F, L, H, D] to [F, Q, W]; ``strength`` scales what is added to z.
        """
        shift, scale, gate = self.norm.vectors(condition)
        gate = gate if strength == 1.0 else gate * strength
        h = self.norm(z, shift, scale)
        k, v = self.attn.key_value(h)
        return tuple(self._rows(z[:, rows], h[:, rows], k, v, gate, mix) for rows in parts)

    def _rows(self, z: Tensor, h: Tensor, k: Tensor, v: Tensor, gate: Tensor, mix: Mix) -> Tensor:
        mixed = mix(self.attn.query(h), k, v)
        return clamp_half(gated(z, gate, by_rows(self._out, mixed, h)))

    def _out(self, mixed: Tensor, h: Tensor) -> Tensor:
        hidden = functional.gelu(self.proj_mlp(h), approximate="tanh")
        return self.proj_out(torch.cat([mixed, hidden], dim=-1))
