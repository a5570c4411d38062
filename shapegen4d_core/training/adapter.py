"""The spatiotemporal adapter on whole clips, base and image encoder frozen, noise shared (paper 3.2)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from ..models.adapter import SpatioTemporalAdapter
from ..models.denoiser import Denoiser
from ..models.image_encoder import ImageEncoder
from ..sampling.noise import correlated
from .bank import FrameBank, sent
from .base import data_error, velocity_errors
from .draws import clean_frames, colour_changes, generator, noise_levels
from .loop import Batches

STAGE = 2


class AdapterLoss(nn.Module):
    """Velocity matching of clips; only the adapter is a submodule, so only it is trained, saved and averaged."""

    def __init__(self, adapter: SpatioTemporalAdapter, encoder: ImageEncoder, denoiser: Denoiser):
        super().__init__()
        self.adapter = adapter
        self.frozen = (encoder.eval().requires_grad_(False), denoiser.eval().requires_grad_(False))

    def forward(
        self, pixels: Tensor, latents: Tensor, noise: Tensor, sigma: Tensor, keep: Tensor
    ) -> tuple[Tensor, dict]:
        """pixels [B,T,C,S,S], latents [B,T,N,C], noise [B,T or 1,N,C], sigma [B,T] (0: held clean), keep [B].

        Clean frames are context: they carry no error (masked flow matching, extension notes section 7).
        """
        frames = latents.shape[1]
        encoder, denoiser = self.frozen
        with torch.no_grad():
            tokens = encoder.tokens(pixels.flatten(0, 1)) * keep.repeat_interleave(frames)[:, None, None]
        noise = noise.expand_as(latents).flatten(0, 1)
        flat, level = latents.flatten(0, 1), sigma.flatten()
        noisy = torch.lerp(flat, noise, level[:, None, None])
        velocity = denoiser(noisy, 1000.0 * level, tokens, adapter=self.adapter, frames=frames)
        return data_error(velocity, flat, noise, level).mean(), {}


def adapter_batches(
    bank: FrameBank, shift: float, drop: float, correlation: float = 1.0, clean: float = 0.0, seed: int = 0
) -> Batches:
    """Batches of whole clips: one sigma per clip, and noise of which the share ``correlation`` (of the variance) is one
    for all frames: 1 as in the paper, 0 its ablation. Below 1 differences of frames are noisy as well, so that the
    adapter does not learn to take those of its own earlier steps for the truth.

    ``clean``: share of clips in which some frames are held clean.
    """

    def batch(step: int, rows: slice, total: int) -> dict[str, Tensor]:
        rng, frames = generator(seed, STAGE, step), bank.frames
        clip, flip = rng.integers(0, bank.clips, total), bank.flips(total, rng)
        order, gain = colour_changes(total, rng)
        sigma = np.repeat(noise_levels(total, shift, rng)[:, None], frames, axis=1)
        keep = (rng.random(total) >= drop).astype(np.float32)[rows]
        held = clean_frames(total, frames, clean, rng)
        noise = _noise((total, frames, *bank.latents.shape[2:]), correlation, rng)[rows]
        small = {"noise": noise, "sigma": np.where(held, 0.0, sigma).astype(np.float32)[rows], "keep": keep}
        every = [np.repeat(part[rows], frames, axis=0) for part in (clip, flip, order, gain)]
        count = len(every[0]) // frames
        pixels, latents = bank.take(every[0], np.tile(np.arange(frames), count), every[1], (every[2], every[3]))
        whole = {"pixels": pixels.unflatten(0, (count, frames)), "latents": latents.unflatten(0, (count, frames))}
        return whole | {key: sent(value, bank.device) for key, value in small.items()}

    return batch


def _noise(shape: tuple[int, ...], correlation: float, rng: np.random.Generator) -> np.ndarray:
    """Unit normal noise [B,T,N,C] float32, [B,1,N,C] when it is the same in all frames."""
    total, _, *rest = shape
    shared = rng.standard_normal((total, 1, *rest), dtype=np.float32) if correlation > 0 else 0.0
    own = rng.standard_normal(shape, dtype=np.float32) if correlation < 1 else 0.0
    return correlated(shared, own, correlation)


def adapter_validation(bank: FrameBank, limit: int = 16) -> Callable[[AdapterLoss], dict[str, float]]:
    """A function that measures the velocity error with shared noise at sigma 0.6, 0.9 and 1 on fixed clips."""
    clips, frames = min(limit, bank.clips), bank.frames
    drawn = np.random.default_rng(0).standard_normal((clips, 1, *bank.latents.shape[2:]), dtype=np.float32)

    def errors_of(loss: AdapterLoss, clip: int) -> dict[str, float]:
        encoder, denoiser = loss.frozen
        every = np.full(frames, clip)
        pixels, target = bank.take(every, np.arange(frames), np.zeros_like(every), None)
        tokens = encoder.tokens(pixels)

        def velocity(noisy: Tensor, time: Tensor) -> Tensor:
            return denoiser(noisy, time, tokens, adapter=loss.adapter, frames=frames)

        noise = sent(drawn[clip], bank.device).expand_as(target)
        return velocity_errors(velocity, target, noise, (0.6, 0.9, 1.0))

    @torch.no_grad()
    def evaluate(loss: AdapterLoss) -> dict[str, float]:
        rows = [errors_of(loss, clip) for clip in range(clips)]
        return {key: float(np.mean([row[key] for row in rows])) for key in rows[0]}

    return evaluate
