"""The spatiotemporal adapter: layers between the blocks of a frozen denoiser that let frames see each other.

Legend: B clips, T frames, F = B*T flat frames (b*T + t), M condition tokens, N latents, L tokens, W width.
Source: paper section 3.2; extension notes sections 1, 2 and 8.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import InputError
from .denoiser_blocks import SingleBlock
from .denoiser_config import AdapterConfig
from .layers import token_attention
from .tensor_ops import (
    clip_count,
    merge_batch_token,
    merge_time_tokens,
    split_batch_token,
    split_time_tokens,
)


def rotation_table(frame_times: Tensor, head_dim: int, theta: float) -> tuple[Tensor, Tensor]:
    """Cosines and sines [F, 1, 1, D//2] of frame time [F] times theta^(-k / (D//2)), float32."""
    half = head_dim // 2
    exponent = torch.arange(half, dtype=torch.float32, device=frame_times.device) / half
    phase = frame_times.float()[:, None] * torch.exp(-math.log(theta) * exponent)
    return phase.cos()[:, None, None], phase.sin()[:, None, None]


def rotate(x: Tensor, table: tuple[Tensor, Tensor]) -> Tensor:
    """Rotate channel pairs (k, k + D//2) of x [F, L, H, D] by the angles of :func:`rotation_table`.

    The last channel of an odd D stays as it is.
    """
    cos, sin = (part.to(x.dtype) for part in table)
    half = cos.shape[-1]
    first, second, rest = x.split((half, half, x.shape[-1] - 2 * half), dim=-1)
    return torch.cat([first * cos - second * sin, second * cos + first * sin, rest], dim=-1)


class SpatioTemporalLayer(SingleBlock):
    """A single-stream block whose output projection starts at zero, so that it first changes nothing."""

    def __init__(self, width: int, heads: int, mlp_ratio: int, ops: Any = nn, **factory: Any) -> None:
        super().__init__(width, heads, mlp_ratio, ops, **factory)
        with torch.no_grad():
            self.norm.linear.weight.zero_()
            self.norm.linear.bias.zero_()[2 * width :] = 1.0
            self.proj_out.weight.zero_()
            self.proj_out.bias.zero_()


class SpatioTemporalAdapter(nn.Module):
    """All added layers of one 4D model, in ``dual`` and ``single`` under the index of the block they follow.

    A fresh adapter leaves the base unchanged bit for bit: output projections are zero, gates one, shift and
    scale zero. ``ops``, ``dtype`` and ``device`` as in every network of the package.
    """

    def __init__(self, config: AdapterConfig, ops: Any = nn, dtype: Any = None, device: Any = None) -> None:
        super().__init__()
        self.config = config
        sizes = (config.width, config.num_heads, config.mlp_ratio)

        def stage(blocks: int) -> nn.ModuleDict:
            followed = range(config.every - 1, blocks, config.every)
            return nn.ModuleDict(
                {str(i): SpatioTemporalLayer(*sizes, ops, dtype=dtype, device=device) for i in followed}
            )

        self.dual = stage(config.layers)
        self.single = stage(config.num_single_layers)

    def copy_single_blocks(self, denoiser: nn.Module) -> None:
        """Start each layer of the single stage as its base block, with the output projection kept at zero."""
        for index, layer in self.single.items():
            source = denoiser.dit_model.single_transformer_blocks[int(index)].state_dict()
            kept = {name: value for name, value in source.items() if not name.startswith("proj_out.")}
            layer.load_state_dict(kept, strict=False)

    def bind(
        self,
        condition: Tensor,
        frames: int,
        frame_times: Tensor | None = None,
        key_bias: Tensor | None = None,
        strength: float = 1.0,
    ) -> FrameMixer:
        """Fix what all layers share in one network evaluation.

        condition [F, W] is the SiLU'd time vector, frame_times [T] or [F] the rotary positions (default
        0..T-1), key_bias [L] the per-frame key bias of a collapsed condition. Raises :class:`InputError` when
        the shapes do not fit.
        """
        clips = clip_count(condition.shape[0], frames)
        times = _flat_times(frame_times, clips, frames, condition.device)
        table = rotation_table(times, self.config.head_dim, self.config.rope_theta)
        return FrameMixer(self, condition, frames, table, key_bias, strength)


def _flat_times(frame_times: Tensor | None, clips: int, frames: int, device: torch.device) -> Tensor:
    if frame_times is None:
        return torch.arange(frames, dtype=torch.float32, device=device).repeat(clips)
    times = torch.as_tensor(frame_times, dtype=torch.float32, device=device).flatten()
    if times.numel() == frames:
        return times.repeat(clips)
    if times.numel() == clips * frames:
        return times
    raise InputError(f"frame_times has {times.numel()} values; give {frames} (one per frame) or {clips * frames}.")


class FrameMixer:
    """An adapter bound to one evaluation; the denoiser calls it after each of its blocks."""

    def __init__(
        self,
        adapter: SpatioTemporalAdapter,
        condition: Tensor,
        frames: int,
        table: tuple[Tensor, Tensor],
        key_bias: Tensor | None,
        strength: float,
    ) -> None:
        self.dual, self.single = adapter.dual, adapter.single
        self.kind = adapter.config.attention
        self.condition, self.frames, self.table = condition, frames, table
        self.key_bias = None if key_bias is None else key_bias.repeat(frames)
        self.strength = strength

    def reads_context_after_single(self, index: int) -> bool:
        """Whether the layer after single block ``index`` reads condition rows (only joint attention does)."""
        return self.kind == "joint" and str(index) in self.single

    def after_dual(self, index: int, context: Tensor, latents: Tensor) -> tuple[Tensor, Tensor]:
        """context [F, M, W] and latents [F, N, W] after dual block ``index``, mixed over frames."""
        layer = self._layer(self.dual, index)
        if layer is None:
            return context, latents
        if self.kind == "shape":
            return context, self._run(layer, latents)
        z = self._run(layer, torch.cat([context, latents], dim=1))
        return z[:, : context.shape[1]], z[:, context.shape[1] :]

    def after_single(self, index: int, z: Tensor, context_count: int) -> Tensor:
        """z [F, M+N, W] after single block ``index``, mixed over frames."""
        layer = self._layer(self.single, index)
        if layer is None:
            return z
        if self.kind == "shape":
            context, latents = z[:, :context_count], z[:, context_count:]
            return torch.cat([context, self._run(layer, latents)], dim=1)
        return self._run(layer, z)

    def after_last(self, index: int, context: Tensor | None, latents: Tensor) -> Tensor:
        """Latents [F, N, W] after the last single block; context [F, M, W] if a layer reads it."""
        layer = self._layer(self.single, index)
        if layer is None:
            return latents
        if context is None:
            return self._run(layer, latents)
        return self._run(layer, torch.cat([context, latents], dim=1), slice(context.shape[1], None))

    def _layer(self, stage: nn.ModuleDict, index: int) -> SpatioTemporalLayer | None:
        return stage[str(index)] if str(index) in stage else None

    def _run(self, layer: SpatioTemporalLayer, z: Tensor, rows: slice = slice(None)) -> Tensor:
        mix = self._mix_through_time if self.kind == "temporal" else self._mix_all
        return layer(z, self.condition, mix, (rows,), self.strength)[0]

    def _mix_all(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        q, k = rotate(q, self.table), rotate(k, self.table)
        q, k, v = (merge_time_tokens(part, self.frames) for part in (q, k, v))
        bias = None if self.kind == "shape" else self.key_bias
        return split_time_tokens(token_attention(q, k, v, bias), self.frames)

    def _mix_through_time(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        clips = q.shape[0] // self.frames
        q, k = rotate(q, self.table), rotate(k, self.table)
        q, k, v = (merge_batch_token(part, self.frames) for part in (q, k, v))
        return split_batch_token(token_attention(q, k, v), clips)
