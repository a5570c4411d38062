"""Stage 3: the base denoiser and the image encoder, frame by frame (spec section 5)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from ..models.denoiser import Denoiser
from ..models.image_encoder import ImageEncoder
from .loop import TrainSettings, train


def noise_levels(count: int, shift: float, rng: np.random.Generator) -> np.ndarray:
    """Logit-normal sigmas [count] in 0..1 moved towards noise by ``shift``: s*sigma / (1 + (s-1)*sigma)."""
    sigma = 1.0 / (1.0 + np.exp(-rng.standard_normal(count)))
    return (shift * sigma / (1.0 + (shift - 1.0) * sigma)).astype(np.float32)


def data_error(velocity: Tensor, latents: Tensor, noise: Tensor, sigma: Tensor) -> Tensor:
    """Squared error of the data estimate x - sigma*v, i.e. sigma^2-weighted velocity error, per frame [F] (spec 5)."""
    return ((velocity - (noise - latents)) * sigma[:, None, None]).square().mean(dim=(1, 2))


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


def recoloured(rgba: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Pictures [F,S,S,4] uint8 as premultiplied float32 [F,4,S,S] in -1..1, channels permuted and gains drawn."""
    count = len(rgba)
    values = rgba.astype(np.float32) / 255.0
    colour, alpha = values[..., :3], values[..., 3:]
    order = np.argsort(rng.random((count, 3)), axis=1)
    colour = np.take_along_axis(colour, order[:, None, None, :], axis=3)
    gain = rng.uniform(0.7, 1.25, (count, 1, 1, 3)).astype(np.float32)
    colour = np.clip(colour * gain, 0.0, 1.0)
    return to_pixels(colour, alpha)


def to_pixels(colour: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Straight colour [F,S,S,3] and alpha [F,S,S,1] in 0..1 to normalised premultiplied RGBA [F,4,S,S]."""
    pixels = np.concatenate([colour * alpha, alpha], axis=-1)
    return np.ascontiguousarray(((pixels - 0.5) / 0.5).transpose(0, 3, 1, 2))


def base_batches(
    rgba: np.ndarray, latents: np.ndarray, batch: int, shift: float, drop: float, rng: np.random.Generator
) -> Iterator[dict[str, Tensor]]:
    """Endless batches of random frames; ``latents [2*clips,T,N,C]`` hold the mirrored clips in their second half."""
    clips, frames = rgba.shape[:2]
    while True:
        clip, frame, flip = (
            rng.integers(0, clips, batch),
            rng.integers(0, frames, batch),
            rng.integers(0, 2, batch),
        )
        pictures = rgba[clip, frame]
        pictures[flip == 1] = pictures[flip == 1][:, :, ::-1]
        target = latents[clip + clips * flip, frame].astype(np.float32)
        arrays = {
            "pixels": recoloured(pictures, rng),
            "latents": target,
            "noise": rng.standard_normal(target.shape, dtype=np.float32),
            "sigma": noise_levels(batch, shift, rng),
            "keep": (rng.random(batch) >= drop).astype(np.float32),
        }
        yield {key: torch.from_numpy(value) for key, value in arrays.items()}


def base_validation(rgba: np.ndarray, latents: np.ndarray, limit: int = 64):
    """A function that measures the velocity error of an averaged loss at sigma 0.25, 0.6, 0.9 and 1 on fixed noise."""
    rng = np.random.default_rng(0)
    clip = np.arange(len(rgba))[:limit]
    frame = clip % rgba.shape[1]
    values = rgba[clip, frame].astype(np.float32) / 255.0
    pixels = torch.from_numpy(to_pixels(values[..., :3], values[..., 3:]))
    target = torch.from_numpy(latents[clip, frame].astype(np.float32))
    noise = torch.from_numpy(rng.standard_normal(target.shape, dtype=np.float32))

    @torch.inference_mode()
    def evaluate(loss: BaseLoss) -> dict[str, float]:
        tokens, result = loss.encoder.tokens(pixels), {}
        for level in (0.25, 0.6, 0.9, 1.0):
            sigma = torch.full((len(target),), level)
            noisy = torch.lerp(target, noise, sigma[:, None, None])
            velocity = loss.denoiser(noisy, 1000.0 * sigma, tokens)
            result[f"v{level}"] = float((velocity - (noise - target)).square().mean())
        return result

    return evaluate


def train_base(
    rgba: np.ndarray,
    latents: np.ndarray,
    encoder: ImageEncoder,
    denoiser: Denoiser,
    validation,
    folder: Path,
    settings: TrainSettings,
    shift: float = 1.0,
    drop: float = 0.1,
    batch: int = 32,
    rank: int = 0,
    count: int = 1,
) -> BaseLoss:
    """Train image encoder and denoiser together and return their averaged weights."""
    rng = np.random.default_rng([settings.seed, 1, rank])
    batches = base_batches(rgba, latents, batch, shift, drop, rng)
    return train(BaseLoss(encoder, denoiser), batches, folder, settings, rank, count, validation)
