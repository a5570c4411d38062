"""Latents or fields of a clip made comparable: truncated fields on the grid, meshes, surface points."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from ..decoding.coarse import CoarseToFine
from ..decoding.grid import Grid, GridSample
from ..decoding.memory import ChunkedField
from ..decoding.surface import extract_surface
from ..geometry.surface_points import sample_surface
from ..models import ModelBundle

CHUNK = 16_384


@dataclass(frozen=True)
class Decoded:
    """Truncated fields [T,R+1,R+1,R+1], meshes (vertices, faces) and surface points [<=P,3] of every frame."""

    fields: np.ndarray
    meshes: list[tuple[np.ndarray, np.ndarray]]
    points: list[np.ndarray]

    @property
    def empty_frames(self) -> int:
        """Frames without a surface."""
        return sum(len(cloud) == 0 for cloud in self.points)


@torch.inference_mode()
def decode_latents(model: ModelBundle, latents: torch.Tensor, sampler: CoarseToFine, points: int) -> Decoded:
    """What latents [T,N,C] of a model's autoencoder look like on the sampler's grid."""
    samples = []
    for frame in latents:
        decoded = sampler(ChunkedField(model.vae.field(model.vae.decode(frame[None])), CHUNK))
        samples.append(GridSample(decoded.grid, decoded.values.clamp(-1, 1), decoded.evaluations))
    return _decoded(samples, points)


def decode_fields(fields: np.ndarray, grid: Grid, points: int) -> Decoded:
    """The same for fields [T,R+1,R+1,R+1] that are already on the grid."""
    return _decoded([GridSample(grid, torch.from_numpy(np.ascontiguousarray(field)), 0) for field in fields], points)


def _decoded(samples: list[GridSample], points: int) -> Decoded:
    meshes = [extract_surface(sample) for sample in samples]
    clouds = [sample_surface(*mesh, points, seed) for seed, mesh in enumerate(meshes)]
    return Decoded(np.stack([sample.values.cpu().numpy() for sample in samples]), meshes, clouds)
