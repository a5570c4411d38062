"""The model on curated shards: figures against the shard's own points and field samples, and a contact sheet."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import safe_open

from ..data.shard_file import asset_name, checked_split, read_asset
from ..data.shards import read_shards
from ..data.slots import assign_slots
from ..decoding.coarse import CoarseToFine
from ..decoding.grid import Grid
from ..decoding.memory import ChunkedField
from ..errors import InputError
from ..geometry.distances import cloud_distances
from ..geometry.motion import jitter
from ..models import ModelBundle
from ..sampling import SamplerSettings
from ..training.latents import encode_clip
from .decoded import CHUNK, Decoded, decode_latents
from .judge import BOUNDS, THRESHOLDS
from .measures import MEASURES
from .methods import METHODS, NEED_DATA, SEED_STEP, chosen_methods, generate_latents, generates
from .occupancy import occupancy_iou, solid_drift
from .score_file import Row
from .sheet import clip_sheet, fitted_camera, render_frames, render_points, spread_frames

KEYS = ("surface", "aligned", "near", "uniform", "rgba", "elevation")
_SHARP = ("sharp", "aligned_sharp")


@dataclass(frozen=True)
class ShardClip:
    """One view of an ``asset``: its arrays by name, as in :mod:`..data.shard_file`, without the leading axis."""

    name: str
    asset: str
    arrays: dict[str, np.ndarray]


def shard_methods(names: str | None, model: ModelBundle) -> tuple[str, ...]:
    """Methods from a list with commas, None for the defaults, without the floor, which is always there.

    Raises InputError for unknown ones and for those that only procedural clips have.
    """
    asked = [name.strip() for name in (names or "").split(",")]
    odd = [name for name in asked if name in ("mean", *NEED_DATA)]
    if odd:
        raise InputError(f"The method {odd[0]} is for procedural clips only; leave it out of --methods with --shards.")
    return tuple(name for name in chosen_methods(names, model, False) if name not in ("floor", "mean"))


def read_clips(data: Path, split: str, model: ModelBundle) -> list[ShardClip]:
    """The clips of a split in the model's frame, in the order of their names; raises InputError."""
    keys = KEYS + (_SHARP if model.config.vae.with_sharp_data else ())
    arrays = read_shards(data, split, keys, frame=model.config.frame)
    names, known = [], {}
    for path in sorted((Path(data) / checked_split(split)).glob("*.safetensors")):
        with safe_open(path, "np") as file:
            views = file.get_slice("azimuth").get_shape()[0]
        said = read_asset(path)
        asset = known.setdefault(said.get("sha256") or path.stem, asset_name(path.stem, said["frame"]))
        names += [(path.stem if views == 1 else f"{path.stem}@{view}", asset) for view in range(views)]
    return [ShardClip(*name, {key: values[row] for key, values in arrays.items()}) for row, name in enumerate(names)]


@dataclass(frozen=True)
class ShardJudge:
    """Scores clips of shards by method; ``anchors`` are the slots of models that have them, else None."""

    model: ModelBundle
    anchors: np.ndarray | None
    settings: SamplerSettings
    methods: tuple[str, ...]
    seeds: tuple[int, ...] = (0,)
    resolution: int = 64

    @cached_property
    def sampler(self) -> CoarseToFine:
        """Samples the model's field on the grid."""
        return CoarseToFine(Grid(self.resolution, BOUNDS), self.model.config.vae.truncation)

    def __call__(self, clip: ShardClip) -> tuple[list[Row], dict[str, np.ndarray]]:
        """The rows of one clip, and four frames of everything for the contact sheet, by row name."""
        count = clip.arrays["surface"].shape[1]
        frames = spread_frames(len(clip.arrays["rgba"]))
        points = clip.arrays["surface"].astype(np.float32)
        camera = fitted_camera(points[..., :3].reshape(-1, 3), float(clip.arrays["elevation"]))
        pictures = {"input": clip.arrays["rgba"][frames], "truth (points)": render_points(points[frames], camera)}
        rows = [self._floor(clip)]
        exact = self.autoencoder(clip)
        reference = decode_latents(self.model, exact, self.sampler, count)
        for method in self.methods:
            for seed in self.seeds if METHODS[method].seeded else (None,):
                latents = exact if method == "autoencoder" else self._generated(method, clip, seed)
                shown = reference if method == "autoencoder" else decode_latents(
                    self.model, latents, self.sampler, count
                )
                values = self._score(clip, latents, shown, reference)
                rows.append(Row(clip.asset, clip.asset, method, seed, values, failed_frames=shown.empty_frames))
                if seed in (None, self.seeds[0]):
                    pictures[METHODS[method].title] = render_frames([shown.meshes[k] for k in frames], camera)
        return rows, pictures

    def autoencoder(self, clip: ShardClip) -> torch.Tensor:
        """Latents [T,N,C] of the truth."""
        aligned, count = clip.arrays["aligned"], self.model.config.vae.num_latents
        if self.anchors is not None:
            slots = assign_slots(aligned[:, : 2 * len(self.anchors)], self.anchors)
        else:
            slots = np.arange(count // 2 if self.model.config.vae.with_sharp_data else count)[:, None]
        more = {key: clip.arrays[key] for key in _SHARP if key in clip.arrays}
        return torch.from_numpy(encode_clip(self.model.vae, clip.arrays["surface"], aligned, slots, **more)).float()

    def _generated(self, method: str, clip: ShardClip, seed: int) -> torch.Tensor:
        if not generates(method):
            raise ValueError(f"{method} is no method for shards")
        own = sum(clip.name.encode())  # clips of one seed still differ in their noise
        return generate_latents(self.model, method, clip.arrays["rgba"], self.settings, own + SEED_STEP * seed)

    def _floor(self, clip: ShardClip) -> Row:
        """The halves of the shard's points against each other."""
        halves = ([frame[start::2, :3] for frame in clip.arrays["surface"].astype(float)] for start in (0, 1))
        values = _distances(*halves)
        return Row(clip.asset, clip.asset, "floor", None, values)

    def _score(self, clip: ShardClip, latents: torch.Tensor, shown: Decoded, reference: Decoded) -> dict[str, float]:
        solids = self._solids(latents, clip.arrays["uniform"])
        values = {
            "iou": _mean_iou(solids),
            "iou_near": _mean_iou(self._solids(latents, clip.arrays["near"])),
            **_distances(shown.points, list(clip.arrays["surface"][..., :3].astype(float))),
        }
        if shown.empty_frames:
            return values | {key: MEASURES[key].worst for key in ("jitter_vae", "volume_drift")}
        values["volume_drift"] = solid_drift(*np.array([[side.sum() for side in pair] for pair in solids]).T)
        return values | {"jitter_vae": jitter(shown.fields) / max(jitter(reference.fields), 1e-9)}

    @torch.inference_mode()
    def _solids(self, latents: torch.Tensor, samples: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
        """Which of the shard's field samples [T,P,4] are inside the prediction and inside the truth, by frame."""
        found = []
        for frame, rows in zip(latents, torch.from_numpy(samples.astype(np.float32))):
            field = ChunkedField(self.model.vae.field(self.model.vae.decode(frame[None])), CHUNK)
            found.append(((field(rows[:, :3]) > 0).numpy(), (rows[:, 3] > 0).numpy()))
        return found


def _mean_iou(solids: list[tuple[np.ndarray, np.ndarray]]) -> float:
    """Mean over frames; frames without any solid are left out."""
    defined = [value for value in (occupancy_iou(*pair) for pair in solids) if not np.isnan(value)]
    return float(np.mean(defined)) if defined else float("nan")


def _distances(first: list[np.ndarray], second: list[np.ndarray]) -> dict[str, float]:
    pairs = [cloud_distances(a, b) for a, b in zip(first, second)]
    values = {"chamfer": float(np.mean([pair.chamfer() for pair in pairs]))}
    return values | {f"f_{at}": float(np.mean([pair.f_score(at) for pair in pairs])) for at in THRESHOLDS}


def about_shards(judge: ShardJudge, clips: list[ShardClip], split: str, model: str) -> dict[str, Any]:
    """What a report must say for its figures to mean something."""
    count = clips[0].arrays["surface"].shape[1]
    return {
        "model": model,
        "clips": f"{len(clips)} views of {len({clip.asset for clip in clips})} curated assets, split {split}",
        "seeds": list(judge.seeds),
        "surface points": f"{count} of prediction and truth each; the noise floor is of halves, so {count // 2}",
        "IoU": f"on the shards' {clips[0].arrays['uniform'].shape[1]} uniform samples per frame, no registration",
        "volume drift": "on the same samples",
        "F thresholds": list(THRESHOLDS),
        "sampling": judge.settings.to_dict(),
        "failures": "a frame without a surface counts as Chamfer 2, jitter 10, drift 1; nothing is left out",
        "intervals": "95 % percentile bootstrap over assets, views and seeds averaged within an asset first",
    }


TITLES = {name: method.title for name, method in METHODS.items()} | {
    "floor": "truth's halves against each other (noise floor of half the points)"
}


def shard_sheet(pictures: list[dict[str, np.ndarray]]) -> np.ndarray:
    """One contact sheet [H,W,3] uint8 of the clips' pictures."""
    return clip_sheet(pictures)
