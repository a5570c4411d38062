"""Held-out procedural clips as ground truth: pictures, exact fields on the grid, surface points, their encoding."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from ..data.procedural import Asset, ProceduralSettings, build_asset, build_clip, surface_in_object
from ..data.slots import assign_slots
from ..decoding.grid import Grid
from ..errors import InputError
from ..models import ModelBundle, ModelConfig
from ..training.latents import encode_clip

SURFACE_POINTS = 8192
_SECOND_SAMPLE = 500_000  # added to seeds, for the points of the noise floor


@dataclass(frozen=True)
class Truth:
    """A held-out clip: pictures [T,S,S,4] uint8, truncated fields [T,R+1,R+1,R+1], surface points, latents [T,N,C].

    ``points`` and ``other_points`` are independent samples [P,3] of the same surfaces; ``elevation`` of the camera in
    degrees.
    """

    name: str
    seed: int
    rgba: np.ndarray
    fields: np.ndarray
    points: list[np.ndarray]
    other_points: list[np.ndarray]
    latents: torch.Tensor
    elevation: float

    @property
    def asset(self) -> str:
        """Name of the clip in reports."""
        return f"{self.name}-{self.seed}"


def procedural_settings(config: ModelConfig) -> ProceduralSettings:
    """How clips are made so that they are what a model was trained on."""
    return ProceduralSettings(
        frame=config.frame,
        truncation=config.vae.truncation,
        foreground_ratio=config.foreground_ratio,
        image_size=config.image_encoder.image_size,
        frames=config.frames,
    )


def check_fits(model: ModelBundle) -> None:
    """Raises InputError for a model that takes more surface points than procedural clips have."""
    held, taken = procedural_settings(model.config).surface_points, model.config.vae.n_samples
    if held < taken:
        raise InputError(
            f"{model.name} takes {taken} surface points and procedural clips have {held}, which fits the tiny preset "
            "only; evaluate it on curated assets with --shards."
        )


def make_truth(
    family: str,
    seed: int,
    model: ModelBundle,
    anchors: np.ndarray | None,
    grid: Grid,
    settings: ProceduralSettings,
    points: int = SURFACE_POINTS,
) -> Truth:
    """Build one held-out clip with its fields on ``grid`` and its encoding by the model's own autoencoder.

    Without ``anchors`` the latents are an unordered set: the first aligned points, which are farthest points.
    """
    clip, asset = build_clip(family, seed, settings), build_asset(family, seed, settings)
    if anchors is None:
        rows = np.arange(model.config.vae.num_latents)[:, None]
    else:
        rows = assign_slots(clip["aligned"][:, : 2 * len(anchors)], anchors)
    latents = encode_clip(model.vae, clip["surface"], clip["aligned"], rows)
    return Truth(
        family,
        seed,
        clip["rgba"],
        true_fields(asset, grid, settings.truncation),
        _surface(asset, points, seed),
        _surface(asset, points, seed + _SECOND_SAMPLE),
        torch.from_numpy(latents).float(),
        asset.look.elevation_degrees,
    )


def _surface(asset: Asset, count: int, seed: int) -> list[np.ndarray]:
    return [asset.to_box(surface_in_object(asset, t, count, seed + t)[0]) for t in range(asset.settings.frames)]


def true_fields(asset: Asset, grid: Grid, truncation: float) -> np.ndarray:
    """Truncated fields float32 [T,R+1,R+1,R+1] of an asset on a grid, in units of the truncation."""
    axis = grid.axis().numpy().astype(float)
    points = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1).reshape(-1, 3)
    rows = [asset.field(t, points) / truncation for t in range(asset.settings.frames)]
    return np.stack(rows).clip(-1, 1).reshape(-1, *(grid.side,) * 3).astype(np.float32)
