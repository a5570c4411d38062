"""The shape autoencoder on frames of animated shapes, with temporally aligned query points (paper 3.1)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from ..models.shape_vae import ShapeVAE
from .bank import resident, sent
from .draws import generator
from .loop import Batches

STAGE = 0
SAMPLE_KEYS = ("near", "uniform")


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


def mirrored(values: Tensor, flip: Tensor, normals: bool = False) -> Tensor:
    """``values [F,P,3+]`` as float32 with x negated (and the normal's x) in the frames where ``flip [F]`` is -1."""
    values = values.float().clone()
    values[..., 0] *= flip[:, None]
    if normals:
        values[..., 3] *= flip[:, None]
    return values


class PointBank:
    """Clouds, query points and field samples of a data set on one device; ``slots [clips,N,K]`` are query rows."""

    def __init__(self, clips: dict[str, np.ndarray], slots: np.ndarray, device: torch.device | str = "cpu") -> None:
        self.device = torch.device(device)
        self.arrays = {key: resident(clips[key], device) for key in ("surface", "aligned", *SAMPLE_KEYS)}
        self.slots = slots
        self.clips, self.frames = clips["surface"].shape[:2]

    def frames_of(self, key: str, clip: np.ndarray, frame: np.ndarray, rows: np.ndarray | None = None) -> Tensor:
        """Points [F,P,C] of frames; ``rows`` are shared [P] or one set per frame [F,P]."""
        array = self.arrays[key]
        clip, frame = (sent(index, array.device) for index in (clip, frame))
        if rows is None:
            return sent(array[clip, frame], self.device)
        rows = sent(rows, array.device)
        rows = rows[None] if rows.ndim == 1 else rows
        return sent(array[clip[:, None], frame[:, None], rows], self.device)


def vae_batches(
    bank: PointBank, channels: int, seed: int = 0, points: int = 640, near: int = 384, volume: int = 192
) -> Batches:
    """Batches of random frames, half of them mirrored; ``channels`` is the width C of a latent."""

    def batch(step: int, rows: slice, total: int) -> dict[str, Tensor]:
        rng = generator(seed, STAGE, step)
        clip, frame = rng.integers(0, bank.clips, total), rng.integers(0, bank.frames, total)
        flip = rng.choice([-1.0, 1.0], total).astype(np.float32)[rows]
        count, candidates = bank.slots.shape[1:]
        choice = rng.integers(0, candidates, (total, count, 1))[rows]
        noise = rng.standard_normal((total, count, channels), dtype=np.float32)[rows]
        cloud, *some = (
            np.sort(rng.permutation(bank.arrays[key].shape[2])[:n])
            for key, n in (("surface", points), ("near", near), ("uniform", volume))
        )
        clip, frame = clip[rows], frame[rows]
        query = np.take_along_axis(bank.slots[clip], choice, 2)[..., 0]
        sign = sent(flip, bank.device)
        samples = [bank.frames_of(key, clip, frame, pick) for key, pick in zip(SAMPLE_KEYS, some)]
        return {
            "surface": mirrored(bank.frames_of("surface", clip, frame, cloud), sign, normals=True),
            "query": mirrored(bank.frames_of("aligned", clip, frame, query), sign, normals=True),
            "samples": mirrored(torch.cat(samples, dim=1), sign),
            "noise": sent(noise, bank.device),
        }

    return batch


def vae_validation(bank: PointBank, limit: int = 32) -> Callable[[VAELoss], dict[str, float]]:
    """A function that measures occupancy IoU on uniform points and near-surface sign accuracy."""
    clip = np.arange(min(limit, bank.clips))
    frame = clip % bank.frames
    query = bank.frames_of("aligned", clip, frame, bank.slots[clip][:, :, 0]).float()
    surface, near, uniform = (bank.frames_of(k, clip, frame).float() for k in ("surface", *SAMPLE_KEYS))

    @torch.no_grad()
    def evaluate(loss: VAELoss) -> dict[str, float]:
        vae = loss.vae
        features = vae.decode(vae.encode(surface[:, :1024], query=query).mode())
        guess, truth = vae.query(features, uniform[..., :3]) > 0, uniform[..., 3] > 0
        sign = (vae.query(features, near[..., :3]) > 0) == (near[..., 3] > 0)
        iou = (guess & truth).sum(1) / (guess | truth).sum(1).clamp(min=1)
        return {"iou": float(iou.mean()), "sign": float(sign.float().mean())}

    return evaluate
