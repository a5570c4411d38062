"""Start noise of a clip: the same for all frames, different in each, or in between."""

from __future__ import annotations

from typing import TypeVar

import numpy
import torch
from torch import Tensor

from ..errors import InputError

NOISE_MODES = ("shared", "independent", "correlated")
_SHARED_STREAM = 0
_FRAME_STREAM = 1
Values = TypeVar("Values")


def draw(
    shape: tuple[int, int, int, int],
    mode: str = "shared",
    correlation: float = 1.0,
    seed: int = 0,
    first_clip: int = 0,
    first_frame: int = 0,
    member: int = 0,
) -> Tensor:
    """Unit normal noise, float32 [B, T, N, C] on the CPU.

    ``shared`` gives all frames of a clip one draw (the paper), ``independent`` each frame its own,
    ``correlated`` sqrt(c) * shared + sqrt(1 - c) * independent with c = ``correlation`` in 0..1. Every
    frame of every clip has a generator of its own, made from ``seed`` (0..2^64-1), clip and frame: drawing
    a part of a clip, with the offsets ``first_clip`` and ``first_frame``, gives the same values as drawing
    the whole. Each ``member`` of an ensemble has noise of its own. Raises :class:`InputError` for an
    unknown mode or a value out of range. Source: extension notes section 3.
    """
    check_noise(mode, correlation, seed)
    clips, frames, latents, channels = shape
    weight = {"shared": 1.0, "independent": 0.0}.get(mode, correlation)
    more = (member,) if member else ()

    def normal(stream: int, clip: int, frame: int) -> Tensor:
        return _normal((latents, channels), seed, stream, clip, frame, *more)

    result = torch.zeros(shape)
    for b, clip in enumerate(range(first_clip, first_clip + clips)):
        shared = normal(_SHARED_STREAM, clip, 0) if weight > 0.0 else 0.0
        for t in range(frames):
            own = normal(_FRAME_STREAM, clip, first_frame + t) if weight < 1.0 else 0.0
            result[b, t] = correlated(shared, own, weight)
    return result


def correlated(shared: Values, own: Values, correlation: float) -> Values:
    """Noise of unit variance of which all frames have the share ``correlation``, 0..1, of the variance in common.

    shared, own: unit normal noise, of all frames and of each, as tensors or arrays that broadcast. Source: extension
    notes section 3.
    """
    return correlation**0.5 * shared + (1.0 - correlation) ** 0.5 * own


def check_noise(mode: str, correlation: float, seed: int) -> None:
    """Raise :class:`InputError` unless mode, correlation (0..1) and seed (0..2^64-1) are usable."""
    if mode not in NOISE_MODES:
        raise InputError(f"noise is {mode!r}; it must be one of {', '.join(NOISE_MODES)}.")
    if not 0.0 <= correlation <= 1.0:
        raise InputError(f"correlation is {correlation!r}; it must lie between 0 and 1.")
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**64:
        raise InputError(f"seed is {seed!r}; it must be a whole number from 0 to 2^64 - 1.")


def _normal(shape: tuple[int, int], seed: int, *stream: int) -> Tensor:
    state = numpy.random.SeedSequence([seed, *stream]).generate_state(1, numpy.uint64)[0]
    generator = torch.Generator().manual_seed(int(state))
    return torch.randn(shape, generator=generator)
