"""The base denoiser and the image encoder, frame by frame (spec section 5)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from ..models.denoiser import Denoiser
from ..models.image_encoder import ImageEncoder
from .bank import FrameBank, sent
from .draws import colour_changes, generator, noise_levels
from .loop import Batches

STAGE = 1


def data_error(velocity: Tensor, latents: Tensor, noise: Tensor, sigma: Tensor) -> Tensor:
    """Squared error of the data estimate x - sigma*v, i.e. sigma^2-weighted velocity error, per frame [F] (spec 5)."""
    difference = velocity.float() - (noise - latents)
    return (difference * sigma[:, None, None]).square().mean(dim=(1, 2))


class BaseLoss(nn.Module):
    """Velocity matching of single frames given their pictures."""

    def __init__(self, encoder: ImageEncoder, denoiser: Denoiser):
        super().__init__()
        self.encoder, self.denoiser = encoder, denoiser
        encoder.dino_model.embeddings.mask_token.requires_grad_(False)  # part of published files, never read

    def forward(
        self, pixels: Tensor, latents: Tensor, noise: Tensor, sigma: Tensor, keep: Tensor
    ) -> tuple[Tensor, dict]:
        """pixels [F,C,S,S], latents and noise [F,N,C], sigma [F] in 0..1, keep [F] (0 drops the picture)."""
        tokens = self.encoder.tokens(pixels) * keep[:, None, None]
        noisy = torch.lerp(latents, noise, sigma[:, None, None])
        error = data_error(self.denoiser(noisy, 1000.0 * sigma, tokens), latents, noise, sigma)
        high = sigma > 0.85
        return error.mean(), {"high": (error * high).sum().detach() / high.sum().clamp(min=1)}


def base_batches(bank: FrameBank, shift: float, drop: float, seed: int = 0) -> Batches:
    """Batches of random frames; ``shift`` moves noise levels towards noise, ``drop`` is the share without picture."""

    def batch(step: int, rows: slice, total: int) -> dict[str, Tensor]:
        rng = generator(seed, STAGE, step)
        clip, frame = rng.integers(0, bank.clips, total), rng.integers(0, bank.frames, total)
        flip, change = bank.flips(total, rng), colour_changes(total, rng)
        sigma = noise_levels(total, shift, rng)[rows]
        keep = (rng.random(total) >= drop).astype(np.float32)[rows]
        noise = rng.standard_normal((total, *bank.latents.shape[2:]), dtype=np.float32)[rows]
        pixels, latents = bank.take(clip[rows], frame[rows], flip[rows], tuple(part[rows] for part in change))
        small = {"noise": noise, "sigma": sigma, "keep": keep}
        return {"pixels": pixels, "latents": latents} | {
            key: sent(value, bank.device) for key, value in small.items()
        }

    return batch


def base_validation(bank: FrameBank, limit: int = 64) -> Callable[[BaseLoss], dict[str, float]]:
    """A function that measures the velocity error at sigma 0.25, 0.6, 0.9 and 1 on fixed frames and noise."""
    clip = np.arange(min(limit, bank.clips))
    pixels, target = bank.take(clip, clip % bank.frames, np.zeros_like(clip), None)
    drawn = np.random.default_rng(0).standard_normal(tuple(target.shape), dtype=np.float32)
    noise = torch.from_numpy(drawn).to(bank.device)

    @torch.no_grad()
    def evaluate(loss: BaseLoss) -> dict[str, float]:
        tokens = loss.encoder.tokens(pixels)
        return velocity_errors(
            lambda noisy, time: loss.denoiser(noisy, time, tokens), target, noise, (0.25, 0.6, 0.9, 1.0)
        )

    return evaluate


def velocity_errors(
    velocity: Callable[[Tensor, Tensor], Tensor], target: Tensor, noise: Tensor, levels: tuple[float, ...]
) -> dict[str, float]:
    """Mean squared velocity error at each noise level, by ``v<level>``."""
    result = {}
    for level in levels:
        sigma = torch.full((len(target),), level, device=target.device)
        noisy = torch.lerp(target, noise, sigma[:, None, None])
        result[f"v{level}"] = float((velocity(noisy, 1000.0 * sigma) - (noise - target)).square().mean())
    return result
