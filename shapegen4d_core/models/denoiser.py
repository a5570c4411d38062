"""The denoising transformer of Step1X-3D ("FluxDenoiser"), with per-frame timesteps and an optional adapter.

Legend: B clips, T frames, F = B*T flat frames (b*T + t), N latents of C channels, M image tokens, W width.
Source: spec section 1; extension notes sections 2 and 8.
"""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import torch
import torch.nn.functional as functional
from torch import Tensor, nn

from ..errors import InputError
from .adapter import FrameMixer, SpatioTemporalAdapter
from .denoiser_blocks import DualBlock, SingleBlock
from .denoiser_config import DenoiserConfig
from .layers import ModulatedNorm, TimeEmbedding, token_attention


class Denoiser(nn.Module):
    """Velocity of a latent set given its noise level and image tokens; names are the published ones."""

    def __init__(self, config: DenoiserConfig, ops: Any = nn, dtype: Any = None, device: Any = None) -> None:
        super().__init__()
        self.config = config
        factory = {"dtype": dtype, "device": device}
        self.dit_model = DenoisingTransformer(config, ops, **factory)
        if config.visual_condition_dim != config.condition_dim:
            self.proj_visual_condtion = _projection(
                config.visual_condition_dim, config.condition_dim, ops, factory
            )
        if config.use_label_condition and config.label_condition_dim != config.condition_dim:
            self.proj_label_condtion = _projection(
                config.label_condition_dim, config.condition_dim, ops, factory
            )

    def forward(
        self,
        latents: Tensor,
        timestep: Tensor,
        visual: Tensor,
        label: Tensor | None = None,
        adapter: SpatioTemporalAdapter | None = None,
        frames: int = 1,
        token_weight: float = 1.0,
        adapter_strength: float = 1.0,
        frame_times: Tensor | None = None,
    ) -> Tensor:
        """Velocity noise - data [F, N, C] of latents [F, N, C] at timestep [F] = 1000 * sigma (0..1000).

        visual [F, M, D] are image tokens, label [F, 3, D] the label tokens of a label model. ``frames`` = T
        groups frames for ``adapter``, whose contribution ``adapter_strength`` scales; frame_times [T] or [F]
        are its rotary positions (default 0..T-1). ``token_weight`` = M lets each image token count as M equal
        ones, exactly.
        Raises :class:`InputError` naming the argument whose shape does not fit.
        """
        self._check(latents, timestep, visual, label)
        if not 0.0 < token_weight < math.inf:
            raise InputError(f"token_weight is {token_weight!r}; it must be a positive number.")
        tokens = self.condition_tokens(visual, label)
        key_bias = None
        if token_weight != 1.0:
            key_bias = latents.new_zeros(tokens.shape[1] + latents.shape[1], dtype=torch.float32)
            key_bias[: visual.shape[1]] = math.log(token_weight)
        condition = functional.silu(self.dit_model.time_proj(timestep, latents.dtype))
        mixer = None
        if adapter is not None and adapter_strength != 0.0:
            adapter.config.check_fits(self.config)
            mixer = adapter.bind(condition, frames, frame_times, key_bias, adapter_strength)
        return self.dit_model(latents, tokens, condition, key_bias, mixer)

    def condition_tokens(self, visual: Tensor, label: Tensor | None = None) -> Tensor:
        """Image tokens, then label tokens, each brought to ``condition_dim`` (spec 1.2)."""
        if hasattr(self, "proj_visual_condtion"):
            visual = self.proj_visual_condtion(visual)
        if label is None:
            return visual
        if hasattr(self, "proj_label_condtion"):
            label = self.proj_label_condtion(label)
        return torch.cat([visual, label], dim=1)

    @property
    def dtype(self) -> torch.dtype:
        """Type of the stored weights."""
        return self.dit_model.proj_in.weight.dtype

    @property
    def device(self) -> torch.device:
        """Device of the stored weights."""
        return self.dit_model.proj_in.weight.device

    def _check(self, latents: Tensor, timestep: Tensor, visual: Tensor, label: Tensor | None) -> None:
        config, count = self.config, latents.shape[0]
        expected = {
            "latents": (latents, 3, config.input_channels),
            "visual": (visual, 3, config.visual_condition_dim),
            "timestep": (timestep, 1, None),
        }
        if config.use_label_condition:
            if label is None:
                raise InputError("label is missing; this model needs label tokens [F, 3, D], zeros for none.")
            expected["label"] = (label, 3, config.label_condition_dim)
        elif label is not None:
            raise InputError("label was given, but this model has no label condition; leave it out.")
        for name, (value, dims, channels) in expected.items():
            if value.dim() != dims or value.shape[0] != count or (channels and value.shape[-1] != channels):
                raise InputError(
                    f"{name} has shape {tuple(value.shape)}; expected {count} frames first, {dims} axes"
                    + (f" and {channels} channels last." if channels else ".")
                )
        if config.slot_count and latents.shape[1] > config.slot_count:
            raise InputError(
                f"latents hold {latents.shape[1]} tokens, but the model has {config.slot_count} slots."
            )


def _projection(given: int, wanted: int, ops: Any, factory: dict[str, Any]) -> nn.Sequential:
    return nn.Sequential(ops.RMSNorm(given, **factory), ops.Linear(given, wanted, **factory))


class DenoisingTransformer(nn.Module):
    """The transformer proper: projections, dual blocks, single blocks, modulated output (spec 1.3 to 1.8)."""

    def __init__(self, config: DenoiserConfig, ops: Any = nn, dtype: Any = None, device: Any = None) -> None:
        super().__init__()
        width, factory = config.width, {"dtype": dtype, "device": device}
        block = (width, config.num_heads, config.mlp_ratio, ops)
        self.time_proj = TimeEmbedding(width, ops, **factory)
        self.proj_in = ops.Linear(config.input_channels, width, **factory)
        self.proj_cross_attention = ops.Linear(config.condition_dim, width, **factory)
        self.transformer_blocks = nn.ModuleList(DualBlock(*block, **factory) for _ in range(config.layers))
        self.single_transformer_blocks = nn.ModuleList(
            SingleBlock(*block, **factory) for _ in range(config.num_single_layers)
        )
        self.norm_out = ModulatedNorm(width, 2, ops, **factory)
        self.proj_out = ops.Linear(width, config.input_channels, **factory)
        self.slot_embed = None
        if config.slot_count:
            self.slot_embed = nn.Parameter(0.02 * torch.randn(config.slot_count, width, **factory))
        if config.identity_init:
            self._start_as_identity()

    def _start_as_identity(self) -> None:
        norms = [module for module in self.modules() if isinstance(module, ModulatedNorm)]
        with torch.no_grad():
            for linear in [norm.linear for norm in norms] + [self.proj_out]:
                linear.weight.zero_()
                linear.bias.zero_()

    def forward(
        self,
        latents: Tensor,
        tokens: Tensor,
        condition: Tensor,
        key_bias: Tensor | None,
        mixer: FrameMixer | None,
    ) -> Tensor:
        """latents [F, N, C], tokens [F, M, D], condition [F, W] (SiLU of the time vector) -> [F, N, C]."""
        x, y = self.proj_in(latents), self.proj_cross_attention(tokens)
        if self.slot_embed is not None:
            x = x + self.slot_embed[: x.shape[1]].to(x)
        for index, block in enumerate(self.transformer_blocks):
            y, x = block(y, x, condition, key_bias)
            if mixer is not None:
                y, x = mixer.after_dual(index, y, x)
        if len(self.single_transformer_blocks):
            count, z = y.shape[1], torch.cat([y, x], dim=1)
            del x, y  # a twentieth of the memory of a step
            x = self._single_stage(z, count, condition, key_bias, mixer)
        scale, shift = self.norm_out.vectors(condition)
        return self.proj_out(self.norm_out(x, shift, scale))

    def _single_stage(
        self, z: Tensor, count: int, condition: Tensor, key_bias: Tensor | None, mixer: FrameMixer | None
    ) -> Tensor:
        """z [F, M+N, W] with ``count`` = M condition rows first -> latents [F, N, W]."""
        last = len(self.single_transformer_blocks) - 1
        mix = partial(token_attention, key_bias=key_bias)
        for index, block in enumerate(self.single_transformer_blocks[:last]):
            (z,) = block(z, condition, mix)
            if mixer is not None:
                z = mixer.after_single(index, z, count)
        block, parts = self.single_transformer_blocks[last], (slice(count, None),)
        if mixer is None:
            return block(z, condition, mix, parts)[0]
        if not mixer.reads_context_after_single(last):
            return mixer.after_last(last, None, block(z, condition, mix, parts)[0])
        x, y = block(z, condition, mix, (*parts, slice(0, count)))
        return mixer.after_last(last, y, x)
