"""From noise to the latents of a clip: guided Euler integration of the flow in float32.

Legend: B clips, T frames, F = B*T flat frames, N latents of C channels, M image tokens of D channels.
Source: spec section 4; extension notes sections 3, 4 and 7.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor

from ..errors import InputError
from ..memory import Halving, require
from ..models.adapter import SpatioTemporalAdapter
from ..models.cancelling import cancellable
from ..models.denoiser import Denoiser
from ..models.denoiser_config import DenoiserConfig
from ..models.layers import rows_at_once
from ..progress import Check, Progress, tick
from .guidance import guided_velocity
from .memory import Evaluation, choose_frames, choose_rows, evaluation
from .noise import draw
from .schedule import TRAIN_STEPS, checked_sigmas
from .schedule import sigmas as make_sigmas
from .settings import SamplerSettings


def euler_step(x: Tensor, velocity: Tensor, sigma: float, sigma_next: float) -> Tensor:
    """x + (sigma_next - sigma) * velocity in float32 (spec 4.2)."""
    return x.float() + (sigma_next - sigma) * velocity.float()


@dataclass(frozen=True)
class Anchors:
    """Frames that stay as given: ``mask`` bool [F], ``latents`` [F, N, C] (read where the mask is set)."""

    mask: Tensor
    latents: Tensor

    def hold(self, x: Tensor) -> Tensor:
        """x [F, N, C] with the anchored frames put back."""
        return torch.where(self.mask[:, None, None], self.latents, x)


@torch.no_grad()
def sample(
    denoiser: Denoiser,
    tokens: Tensor,
    settings: SamplerSettings,
    adapter: SpatioTemporalAdapter | None = None,
    adapter_strength: float = 1.0,
    noise: Tensor | Sequence[Tensor] | None = None,
    sigmas: Tensor | None = None,
    label: Tensor | None = None,
    clean_latents: Tensor | None = None,
    clean_frames: Tensor | None = None,
    frame_times: Tensor | None = None,
    progress: Progress | None = None,
    check: Check | None = None,
    dtype: torch.dtype | None = None,
    device: torch.device | str | None = None,
) -> Tensor:
    """Latents [T, N, C] of image tokens [T, M, D], or [B, T, N, C] of [B, T, M, D]; float32, on their device.

    noise: start noise, [.., T, N, C] or [.., 1, N, C] for all frames alike, one for each member of an ensemble;
    default drawn from the settings.
    sigmas: noise levels [steps + 1] descending from 1, used as they are in place of steps and shift.
    label: label tokens [.., T, 3, D] of a label model.
    clean_latents, clean_frames: latents [.., T, N, C] and a mask [.., T] of frames that are held at noise
    level 0. frame_times: rotary positions [T] of the adapter, default 0..T-1. progress, check: called after
    every step, check also between blocks of the networks; the preview is the current data estimate
    [.., T, N, C], averaged with the finished members of an ensemble, or None after a step that the zero-init
    rule skips. dtype, device: of the computation, default those of the weights. Raises :class:`InputError`
    on inputs that do not fit together, and whatever ``check`` raises.
    """
    device, dtype = torch.device(device or denoiser.device), dtype or denoiser.dtype
    batched = tokens if tokens.dim() == 4 else tokens[None]
    if batched.dim() != 4 or 0 in batched.shape:
        raise InputError(
            f"tokens has shape {tuple(tokens.shape)}; expected [T, M, D] or [B, T, M, D], none empty."
        )
    clips, frames = batched.shape[:2]
    starts = _start_noises(noise, settings, clips, frames, denoiser.config)
    x = starts[0].to(device).flatten(0, 1)
    levels = _levels(settings, sigmas)
    anchors = _anchors(clean_latents, clean_frames, x, clips, frames)
    if frame_times is not None and frame_times.shape != (frames,):
        raise InputError(
            f"frame_times has shape {tuple(frame_times.shape)}; expected one per frame, ({frames},)."
        )
    network = partial(
        denoiser, adapter=adapter, frames=frames, adapter_strength=adapter_strength, frame_times=frame_times
    )
    sizes = evaluation(denoiser.config, settings, len(x), batched.shape[2], x.shape[1], dtype.itemsize)
    velocity = partial(
        _velocity,
        partial(guided_velocity, network, guidance=settings.guidance, mode=settings.guidance_mode),
        batched.flatten(0, 1).to(device, dtype),
        None if label is None else _per_frame("label", label, clips, frames).to(device, dtype),
        *_portions(settings, sizes, None if adapter is None else frames, device),
        dtype=dtype,
    )
    shape, finished = (*tokens.shape[:-2], *x.shape[1:]), torch.zeros_like(x)
    steps, size = len(levels) - 1, settings.ensemble_size

    def told(member: int, step: int, estimate: Tensor | None) -> None:
        if estimate is not None and progress is not None:
            estimate = ((finished + estimate) / (member + 1)).reshape(shape).to(tokens.device)
        tick(progress, check, member * steps + step, size * steps, estimate)

    with cancellable(check, denoiser, adapter):
        for member, start in enumerate(starts):
            x = start.to(device).flatten(0, 1)
            finished += _integrate(x, levels, settings, velocity, anchors, partial(told, member))
    return (finished / size).reshape(shape).to(tokens.device)


def _integrate(
    x: Tensor,
    levels: list[float],
    settings: SamplerSettings,
    velocity: Callable[..., Tensor],
    anchors: Anchors | None,
    told: Callable[[int, Tensor | None], None],
) -> Tensor:
    """Latents [F, N, C] of start noise; ``told`` hears each step's number and its data estimate, None where the
    zero-init rule leaves the noise as it is.
    """
    idle = settings.zero_steps + 1 if settings.zero_init else 0
    for index, (sigma, sigma_next) in enumerate(zip(levels, levels[1:])):
        estimate = None
        if index >= idle:
            x = x if anchors is None else anchors.hold(x)
            level = x.new_full((len(x),), sigma)
            level = level if anchors is None else level.masked_fill(anchors.mask, 0.0)
            v = velocity(x, TRAIN_STEPS * level)
            estimate = x - level[:, None, None] * v
            x = euler_step(x, v, sigma, sigma_next)
        told(index + 1, estimate)
    return x if anchors is None else anchors.hold(x)


def _velocity(
    guided: Callable[..., Tensor],
    visual: Tensor,
    label: Tensor | None,
    per_call: int,
    halving: Halving,
    x: Tensor,
    timestep: Tensor,
    dtype: torch.dtype,
) -> Tensor:
    """Guided velocity of all frames [F, N, C], ``per_call`` frames per network call; less at once when memory ends."""
    x = x.to(dtype)

    def part(rows: slice, limit: int) -> Tensor:
        with rows_at_once(limit):
            return guided(x[rows], timestep[rows], visual[rows], None if label is None else label[rows])

    parts = [slice(start, start + per_call) for start in range(0, len(x), per_call)]
    return torch.cat([halving(partial(part, rows)) for rows in parts])


def _portions(
    settings: SamplerSettings, sizes: Evaluation, clip: int | None, device: torch.device | str
) -> tuple[int, Halving]:
    """Frames per network call, whole clips of ``clip`` frames when that is given, and token rows at once."""
    if clip is None:
        frames = settings.frames_per_call or choose_frames(sizes, device)
    else:
        frames = max(1, (settings.frames_per_call or sizes.frames) // clip) * clip
    sizes = replace(sizes, frames=min(frames, sizes.frames))
    rows = settings.rows_per_call or choose_rows(sizes, device)
    if torch.device(device).type == "cpu":  # other devices say so themselves; a CPU's system ends the program
        require(sizes.bytes(rows), f"Sampling {sizes.frames} frames together", "take fewer frames (count)")
    return frames, Halving(rows, "tokens at once", "take fewer frames (count), or a model in lower precision")


def _levels(settings: SamplerSettings, sigmas: Tensor | None) -> list[float]:
    if sigmas is None:
        sigmas = make_sigmas(settings.steps, settings.time_shift, settings.double_shift, settings.final_sigma)
    levels = checked_sigmas(sigmas).tolist()
    if settings.zero_init and settings.zero_steps >= len(levels) - 2:
        raise InputError(
            f"zero_init leaves out all {len(levels) - 1} steps (zero_steps is {settings.zero_steps}); "
            "take more steps or switch zero_init off."
        )
    return levels


def _start_noises(
    noise: Tensor | Sequence[Tensor] | None, settings: SamplerSettings, clips: int, frames: int, config: DenoiserConfig
) -> list[Tensor]:
    """Start noise [B, T, N, C] float32 of each member of the ensemble, drawn or given."""
    size = settings.ensemble_size
    if size > 1 and not config.slot_count:
        raise InputError(
            f"ensemble_size is {size}, but the latents of this model have no places of their own and cannot be "
            "averaged; set ensemble_size to 1."
        )
    if noise is None:
        return [_start_noise(None, settings, clips, frames, config, member) for member in range(size)]
    given = [noise] if isinstance(noise, Tensor) else list(noise)
    if len(given) != size:
        raise InputError(f"{len(given)} start noises were given, but ensemble_size is {size}; give one per member.")
    return [_start_noise(one, settings, clips, frames, config) for one in given]


def _start_noise(
    noise: Tensor | None, settings: SamplerSettings, clips: int, frames: int, config: DenoiserConfig, member: int = 0
) -> Tensor:
    """Start noise [B, T, N, C] float32, drawn or given."""
    if noise is None:
        count = settings.latent_count or config.slot_count
        if not count:
            raise InputError(
                "latent_count is not set and this model does not fix it; set latent_count or give noise."
            )
        shape = (clips, frames, count, config.input_channels)
        return draw(shape, settings.noise, settings.correlation, settings.seed, member=member)
    given = noise if noise.dim() == 4 else noise[None]
    fits = given.dim() == 4 and given.shape[0] in (1, clips) and given.shape[1] in (1, frames)
    if not fits or given.shape[-1] != config.input_channels:
        raise InputError(
            f"noise has shape {tuple(noise.shape)}; expected [{clips}, {frames}, N, {config.input_channels}]."
        )
    return given.float().expand(clips, frames, -1, -1)


def _per_frame(name: str, value: Tensor, clips: int, frames: int) -> Tensor:
    """[T, ...] or [B, T, ...] -> [F, ...]."""
    if value.shape[:2] == (clips, frames):
        return value.flatten(0, 1)
    if clips == 1 and value.shape[:1] == (frames,):
        return value
    raise InputError(
        f"{name} has shape {tuple(value.shape)}; expected {clips} clips of {frames} frames first."
    )


def _anchors(
    latents: Tensor | None, mask: Tensor | None, x: Tensor, clips: int, frames: int
) -> Anchors | None:
    if latents is None and mask is None:
        return None
    if latents is None or mask is None:
        raise InputError("clean_latents and clean_frames belong together; give both or neither.")
    mask = _per_frame("clean_frames", mask, clips, frames).to(x.device, torch.bool)
    latents = _per_frame("clean_latents", latents, clips, frames).to(x.device, torch.float32)
    if latents.shape != x.shape or mask.dim() != 1:
        raise InputError(
            f"clean_latents gives {tuple(latents.shape)} per frame and clean_frames {tuple(mask.shape)}; "
            f"expected {tuple(x.shape)} and ({len(x)},)."
        )
    return Anchors(mask, latents)
