"""Stage 4: the spatiotemporal adapter on whole clips, base and image encoder frozen, noise shared (paper 3.2)."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from ..models.adapter import SpatioTemporalAdapter
from ..models.denoiser import Denoiser
from ..models.image_encoder import ImageEncoder
from .base import data_error, noise_levels, recoloured, to_pixels
from .loop import TrainSettings, train


class AdapterLoss(nn.Module):
    """Velocity matching of clips; only the adapter is a submodule, so only it is trained, saved and averaged."""

    def __init__(self, adapter: SpatioTemporalAdapter, encoder: ImageEncoder, denoiser: Denoiser):
        super().__init__()
        self.adapter = adapter
        self.frozen = (encoder.eval().requires_grad_(False), denoiser.eval().requires_grad_(False))

    def forward(
        self, pixels: Tensor, latents: Tensor, noise: Tensor, sigma: Tensor, keep: Tensor
    ) -> tuple[Tensor, dict]:
        """pixels [B,T,C,S,S], latents [B,T,N,C], noise [B,T or 1,N,C], sigma [B] in 0..1, keep [B]."""
        clips, frames = latents.shape[:2]
        encoder, denoiser = self.frozen
        with torch.no_grad():
            tokens = encoder.tokens(pixels.flatten(0, 1)) * keep.repeat_interleave(frames)[:, None, None]
        noise = noise.expand_as(latents).flatten(0, 1)
        flat, level = latents.flatten(0, 1), sigma.repeat_interleave(frames)
        noisy = torch.lerp(flat, noise, level[:, None, None])
        velocity = denoiser(noisy, 1000.0 * level, tokens, adapter=self.adapter, frames=frames)
        return data_error(velocity, flat, noise, level).mean(), {}

    def __deepcopy__(self, memo: dict) -> AdapterLoss:
        """A copy with its own adapter and the same frozen networks (they never change)."""
        return AdapterLoss(copy.deepcopy(self.adapter, memo), *self.frozen)


def adapter_batches(
    rgba: np.ndarray,
    latents: np.ndarray,
    batch: int,
    shift: float,
    drop: float,
    shared: bool,
    rng: np.random.Generator,
) -> Iterator[dict[str, Tensor]]:
    """Endless batches of whole clips, plain or mirrored; one sigma, and when ``shared`` one noise, per clip."""
    clips, frames = rgba.shape[:2]
    while True:
        clip, flip = rng.integers(0, clips, batch), rng.integers(0, 2, batch)
        pictures = rgba[clip]
        pictures[flip == 1] = pictures[flip == 1][:, :, :, ::-1]
        state = int(rng.integers(1 << 31))
        pixels = np.stack([_same_colours(row, state + i) for i, row in enumerate(pictures)])
        target = latents[clip + clips * flip].astype(np.float32)
        shape = (batch, 1 if shared else frames, *target.shape[2:])
        arrays = {
            "pixels": pixels,
            "latents": target,
            "noise": rng.standard_normal(shape, dtype=np.float32),
            "sigma": noise_levels(batch, shift, rng),
            "keep": (rng.random(batch) >= drop).astype(np.float32),
        }
        yield {key: torch.from_numpy(value) for key, value in arrays.items()}


def _same_colours(frames: np.ndarray, seed: int) -> np.ndarray:
    """One recolouring for all frames [T,S,S,4] of a clip."""
    count, size = len(frames), frames.shape[1]
    tall = frames.reshape(1, count * size, frames.shape[2], 4)
    return recoloured(tall, np.random.default_rng(seed))[0].reshape(4, count, size, -1).transpose(1, 0, 2, 3).copy()


def train_adapter(
    rgba: np.ndarray,
    latents: np.ndarray,
    adapter: SpatioTemporalAdapter,
    encoder: ImageEncoder,
    denoiser: Denoiser,
    folder: Path,
    settings: TrainSettings,
    shift: float = 1.0,
    drop: float = 0.1,
    shared: bool = True,
    batch: int = 4,
    rank: int = 0,
    count: int = 1,
    validation=None,
) -> SpatioTemporalAdapter:
    """Train the adapter and return its averaged weights; ``shared`` False is the paper's noise ablation."""
    rng = np.random.default_rng([settings.seed, 2, rank])
    batches = adapter_batches(rgba, latents, batch, shift, drop, shared, rng)
    loss = AdapterLoss(adapter, encoder, denoiser)
    return train(loss, batches, folder, settings, rank, count, validation).adapter


def adapter_validation(rgba: np.ndarray, latents: np.ndarray, limit: int = 16):
    """A function that measures the velocity error with shared noise at sigma 0.6, 0.9 and 1 on fixed clips."""
    values = rgba[:limit].astype(np.float32) / 255.0
    clips, frames = values.shape[:2]
    pixels = torch.from_numpy(
        to_pixels(
            values[..., :3].reshape(-1, *values.shape[2:4], 3), values[..., 3:].reshape(-1, *values.shape[2:4], 1)
        )
    )
    target = torch.from_numpy(latents[:limit].astype(np.float32)).flatten(0, 1)
    shape = (clips, 1, *target.shape[1:])
    drawn = np.random.default_rng(0).standard_normal(shape, dtype=np.float32)
    noise = torch.from_numpy(np.repeat(drawn, frames, axis=1)).flatten(0, 1)

    @torch.inference_mode()
    def evaluate(loss: AdapterLoss) -> dict[str, float]:
        encoder, denoiser = loss.frozen
        tokens, result = encoder.tokens(pixels), {}
        for level in (0.6, 0.9, 1.0):
            sigma = torch.full((len(target),), level)
            noisy = torch.lerp(target, noise, sigma[:, None, None])
            velocity = denoiser(noisy, 1000.0 * sigma, tokens, adapter=loss.adapter, frames=frames)
            result[f"v{level}"] = float((velocity - (noise - target)).square().mean())
        return result

    return evaluate
