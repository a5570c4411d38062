"""Stage 1: the shape autoencoder on frames of animated shapes, with temporally aligned query points (paper 3.1)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from ..models.config import ShapeVAEConfig
from ..models.shape_vae import ShapeVAE
from .loop import TrainSettings, train


class VAELoss(nn.Module):
    """Field regression near the surface and in the volume, plus KL (spec 2.7; absolute instead of squared error)."""

    def __init__(self, vae: ShapeVAE, kl_weight: float = 1e-3):
        super().__init__()
        self.vae, self.kl_weight = vae, kl_weight

    def forward(self, surface: Tensor, query: Tensor, samples: Tensor, noise: Tensor) -> tuple[Tensor, dict]:
        """surface [F,P,6], query [F,N,6], samples [F,P,4] (position, field), noise [F,N,C] unit normal."""
        posterior = self.vae.encode(surface, query=query)
        field = self.vae.query(self.vae.decode(posterior.sample(noise=noise)), samples[..., :3])
        error = (field - samples[..., 3]).abs().mean()
        divergence = posterior.kl().mean()
        sign = ((field > 0) == (samples[..., 3] > 0)).float().mean()
        return error + self.kl_weight * divergence, {
            "error": error.detach(),
            "kl": divergence.detach(),
            "sign": sign,
        }


def mirrored(values: np.ndarray, flip: np.ndarray, normals: bool = False) -> np.ndarray:
    """Copy of ``values [F,P,3+]`` with x negated (and the normal's x) in the frames where ``flip [F]`` is -1."""
    values = values.astype(np.float32)
    values[..., 0] *= flip[:, None]
    if normals:
        values[..., 3] *= flip[:, None]
    return values


def vae_batches(
    clips: dict[str, np.ndarray],
    slots: np.ndarray,
    config: ShapeVAEConfig,
    batch: int,
    rng: np.random.Generator,
    points: int = 640,
    near: int = 384,
    volume: int = 192,
) -> Iterator[dict[str, Tensor]]:
    """Endless batches of random frames, half of them mirrored; ``slots [clips,N,K]`` are candidate query rows."""
    count, frames = clips["surface"].shape[:2]
    while True:
        clip, frame = rng.integers(0, count, batch), rng.integers(0, frames, batch)
        flip = rng.choice([-1.0, 1.0], batch).astype(np.float32)
        pick = np.take_along_axis(slots[clip], rng.integers(0, slots.shape[2], (batch, slots.shape[1], 1)), 2)[..., 0]
        cloud = np.sort(rng.permutation(clips["surface"].shape[2])[:points])
        rows = [np.sort(rng.permutation(clips[key].shape[2])[:n]) for key, n in (("near", near), ("uniform", volume))]
        samples = np.concatenate([clips["near"][clip, frame][:, rows[0]], clips["uniform"][clip, frame][:, rows[1]]], 1)
        arrays = {
            "surface": mirrored(clips["surface"][clip, frame][:, cloud], flip, normals=True),
            "query": mirrored(
                np.take_along_axis(clips["aligned"][clip, frame], pick[..., None], 1), flip, normals=True
            ),
            "samples": mirrored(samples, flip),
            "noise": rng.standard_normal((batch, pick.shape[1], config.embed_dim), dtype=np.float32),
        }
        yield {key: torch.from_numpy(value) for key, value in arrays.items()}


def vae_validation(clips: dict[str, np.ndarray], slots: np.ndarray, limit: int = 32):
    """A function that measures occupancy IoU on uniform points and near-surface sign accuracy of an averaged loss."""
    clip = np.arange(len(slots))[:limit]
    frame = clip % clips["surface"].shape[1]
    query = np.take_along_axis(clips["aligned"][clip, frame], slots[clip][:, :, :1], 1).astype(np.float32)
    arrays = [query] + [clips[k][clip, frame].astype(np.float32) for k in ("surface", "near", "uniform")]
    query, surface, near, uniform = (torch.from_numpy(a) for a in arrays)

    @torch.inference_mode()
    def evaluate(loss: VAELoss) -> dict[str, float]:
        vae = loss.vae
        features = vae.decode(vae.encode(surface[:, :1024], query=query).mode())
        guess, truth = vae.query(features, uniform[..., :3]) > 0, uniform[..., 3] > 0
        sign = (vae.query(features, near[..., :3]) > 0) == (near[..., 3] > 0)
        iou = (guess & truth).sum(1) / (guess | truth).sum(1).clamp(min=1)
        return {"iou": float(iou.mean()), "sign": float(sign.float().mean())}

    return evaluate


def train_vae(
    clips: dict[str, np.ndarray],
    slots: np.ndarray,
    validation,
    folder: Path,
    config: ShapeVAEConfig,
    settings: TrainSettings,
    batch: int = 16,
    rank: int = 0,
    count: int = 1,
) -> ShapeVAE:
    """Train the autoencoder and return its averaged weights; ``batch`` frames per process and step."""
    torch.manual_seed(settings.seed)
    loss = VAELoss(ShapeVAE(config))
    rng = np.random.default_rng([settings.seed, rank])
    averaged = train(loss, vae_batches(clips, slots, config, batch, rng), folder, settings, rank, count, validation)
    return averaged.vae
