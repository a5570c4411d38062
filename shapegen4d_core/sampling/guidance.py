"""Classifier-free guidance over one network evaluation, with the exact collapse of the unconditional half.

Without a picture all M image tokens of a frame are the same vector in every layer, so one token whose logit
is raised by log M stands for all of them (extension notes section 8).
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from ..errors import InputError

GUIDANCE_MODES = ("collapsed", "together", "in_turn")

Velocity = Callable[..., Tensor]


def combine(unconditional: Tensor, conditional: Tensor, guidance: float) -> Tensor:
    """v_u + guidance * (v_c - v_u) in float32."""
    unconditional = unconditional.float()
    return unconditional + guidance * (conditional.float() - unconditional)


def guided_velocity(
    network: Velocity,
    latents: Tensor,
    timestep: Tensor,
    visual: Tensor,
    label: Tensor | None = None,
    guidance: float = 1.0,
    mode: str = "collapsed",
) -> Tensor:
    """Guided velocity [F, N, C], float32, of latents [F, N, C] at timestep [F] with image tokens [F, M, D].

    ``network`` has the signature of :class:`Denoiser` with everything else bound. The unconditional half
    has zero image and label tokens; ``guidance`` up to 1 runs the conditional half only. ``collapsed``
    evaluates the unconditional half with one token per frame, ``in_turn`` with all, ``together`` both
    halves as one batch. All three agree up to rounding. Raises :class:`InputError` for an unknown mode.
    """
    if mode not in GUIDANCE_MODES:
        raise InputError(f"guidance_mode is {mode!r}; it must be one of {', '.join(GUIDANCE_MODES)}.")
    if guidance <= 1.0:
        return network(latents, timestep, visual, label).float()
    no_label = None if label is None else torch.zeros_like(label)
    if mode == "together":
        pairs = [(latents, latents), (timestep, timestep), (torch.zeros_like(visual), visual)]
        labels = None if label is None else torch.cat([no_label, label])
        joined = network(*(torch.cat(pair) for pair in pairs), labels)
        unconditional, conditional = joined.chunk(2)
        return combine(unconditional, conditional, guidance)
    if mode == "collapsed":
        nothing, weight = torch.zeros_like(visual[:, :1]), float(visual.shape[1])
    else:
        nothing, weight = torch.zeros_like(visual), 1.0
    unconditional = network(latents, timestep, nothing, no_label, token_weight=weight)
    return combine(unconditional, network(latents, timestep, visual, label), guidance)
