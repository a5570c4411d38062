"""One held-out clip scored by every method, on the grid of its ground truth; no registration.

The tiny model generates in the camera's azimuth, so prediction and truth share their axes.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import torch

from ..decoding.coarse import CoarseToFine
from ..decoding.grid import Grid
from ..geometry.distances import cloud_distances
from ..geometry.motion import jitter, volume_drift
from ..models import ModelBundle
from ..sampling import SamplerSettings
from .decoded import Decoded, decode_fields, decode_latents
from .measures import MEASURES
from .methods import SEED_STEP, generate_latents, generates
from .neighbours import NearestFrames
from .occupancy import occupancy_iou
from .score_file import Row
from .truth import SURFACE_POINTS, Truth, make_truth, procedural_settings

BOUNDS = 1.05
THRESHOLDS = (0.02, 0.05)


def fingerprint(model: ModelBundle) -> str:
    """A short text that changes with the weights of a model: from the shape and the leading values of every tensor."""
    digest = hashlib.sha256()
    for part, network in model.networks():
        for name, tensor in network.state_dict().items():
            values = tensor.detach().reshape(-1)[:256].float().cpu().numpy()
            digest.update(f"{part}.{name}{tuple(tensor.shape)}".encode() + values.tobytes())
    return digest.hexdigest()[:12]


@dataclass(frozen=True)
class Task:
    """One clip (family, seed) and the (method, seed) pairs that are still to be scored on it."""

    clip: tuple[str, int]
    runs: tuple[tuple[str, int | None], ...]


@dataclass(frozen=True)
class Judge:
    """Everything needed to score one clip: the model, its slots (None: it has none), sampling, grid and baselines."""

    model: ModelBundle
    anchors: np.ndarray | None
    settings: SamplerSettings
    resolution: int = 64
    points: int = SURFACE_POINTS
    neighbours: dict[str, NearestFrames] = field(default_factory=dict)
    mean_field: np.ndarray | None = None

    @cached_property
    def grid(self) -> Grid:
        """The grid of truth and predictions."""
        return Grid(self.resolution, BOUNDS)

    @cached_property
    def sampler(self) -> CoarseToFine:
        """Samples the model's field on the grid."""
        return CoarseToFine(self.grid, self.model.config.vae.truncation)

    def truth(self, family: str, seed: int) -> Truth:
        """The ground truth of one clip."""
        settings = procedural_settings(self.model.config)
        return make_truth(family, seed, self.model, self.anchors, self.grid, settings, self.points)

    def __call__(self, task: Task) -> list[Row]:
        """The rows of one task."""
        truth = self.truth(*task.clip)
        rows = []
        for method, seed in task.runs:
            shown = self.result(method, seed, truth)
            values = score(shown, truth)
            rows.append(Row(truth.asset, truth.name, method, seed, values, failed_frames=shown.empty_frames))
        return rows

    def result(self, method: str, seed: int | None, truth: Truth) -> Decoded:
        """What a method makes of a clip."""
        if method == "floor":
            return Decoded(truth.fields, [], truth.other_points)
        if method == "mean":
            fields = np.repeat(self.mean_field[None], len(truth.fields), axis=0)
            return decode_fields(fields, self.grid, self.points)
        return decode_latents(self.model, self.latents(method, seed, truth), self.sampler, self.points)

    def latents(self, method: str, seed: int | None, truth: Truth) -> torch.Tensor:
        """Latents [T,N,C] of a method for a clip."""
        if method == "autoencoder":
            return truth.latents
        if generates(method):
            return generate_latents(self.model, method, truth.rgba, self.settings, truth.seed + SEED_STEP * seed)
        return torch.from_numpy(self.neighbours[method].latents_of(truth.rgba))


def score(shown: Decoded, truth: Truth) -> dict[str, float]:
    """Measures of one clip: overlap and distances averaged over frames, jitter over the truth's, volume drift.

    A frame without a surface counts as the worst; a clip with such frames has no jitter or drift of its own and
    gets the worst value, because a shape that vanishes does not flicker.
    """
    pairs = [cloud_distances(a, b) for a, b in zip(shown.points, truth.points)]
    solid, wanted = shown.fields > 0, truth.fields > 0
    values = {
        "iou": float(np.mean([occupancy_iou(a, b) for a, b in zip(solid, wanted)])),
        "chamfer": float(np.mean([pair.chamfer() for pair in pairs])),
        **{f"f_{at}": float(np.mean([pair.f_score(at) for pair in pairs])) for at in THRESHOLDS},
    }
    if shown.empty_frames:
        return values | {key: MEASURES[key].worst for key in ("jitter", "volume_drift")}
    volumes = [grids.reshape(len(grids), -1).sum(axis=1) for grids in (solid, wanted)]
    values["jitter"] = jitter(shown.fields) / max(jitter(truth.fields), 1e-9)
    return values | {"volume_drift": volume_drift(*volumes)}
