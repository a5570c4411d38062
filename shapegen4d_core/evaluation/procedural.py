"""The bundled model against held-out procedural clips, without registration: shapes, motion and two baselines.

Every clip is decoded on the same grid as its ground truth, because the tiny model generates in the camera's azimuth.
Ground truth has the exact sign everywhere and first-order distances near the surface.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import numpy as np
import torch

from ..data.procedural import Asset, ProceduralSettings, build_asset, build_clip, surface_in_object
from ..data.shards import clip_names
from ..data.slots import assign_slots
from ..decoding.coarse import CoarseToFine
from ..decoding.grid import Grid
from ..decoding.memory import ChunkedField
from ..decoding.surface import extract_surface
from ..models import ModelBundle
from ..progress import Check, Progress, tick
from ..sampling import SamplerSettings, sample
from ..training.base import to_pixels
from ..training.latents import encode_clip
from .metrics import chamfer_distance, jitter, mean_and_error, occupancy_iou
from .neighbours import NearestFrames

SURFACE_POINTS = 8192
CHUNK = 16_384


@dataclass(frozen=True)
class Truth:
    """A held-out clip: pictures [T,S,S,4] uint8, truncated fields [T,R+1,R+1,R+1], surface points, latents [T,N,C]."""

    name: str
    seed: int
    rgba: np.ndarray
    fields: np.ndarray
    points: list[np.ndarray]
    latents: torch.Tensor


def make_truth(
    family: str, seed: int, model: ModelBundle, anchors: np.ndarray, grid: Grid, settings: ProceduralSettings
) -> Truth:
    """Build one held-out clip with its fields on ``grid`` and its encoding by the model's own autoencoder."""
    clip, asset = build_clip(family, seed, settings), build_asset(family, seed, settings)
    rows = assign_slots(clip["aligned"][:, : 2 * len(anchors)], anchors)
    latents = encode_clip(model.vae, clip["surface"], clip["aligned"], rows)
    return Truth(
        family,
        seed,
        clip["rgba"],
        _true_fields(asset, grid, settings.truncation),
        [asset.to_box(surface_in_object(asset, t, SURFACE_POINTS, seed + t)[0]) for t in range(settings.frames)],
        torch.from_numpy(latents).float(),
    )


def _true_fields(asset: Asset, grid: Grid, truncation: float) -> np.ndarray:
    axis = grid.axis().numpy().astype(float)
    points = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1).reshape(-1, 3)
    rows = [asset.field(t, points) / truncation for t in range(asset.settings.frames)]
    return np.stack(rows).clip(-1, 1).reshape(-1, *(grid.side,) * 3).astype(np.float32)


@torch.inference_mode()
def decode_fields(model: ModelBundle, latents: torch.Tensor, sampler: CoarseToFine) -> tuple[np.ndarray, list]:
    """Truncated fields [T,...] and surface points [<=P,3] per frame of latents [T,N,C]."""
    fields, points = [], []
    for frame in latents:
        decoded = sampler(ChunkedField(model.vae.field(model.vae.decode(frame[None])), CHUNK))
        fields.append(decoded.values.clamp(-1, 1).numpy())
        points.append(_surface_points(*extract_surface(decoded), len(points)))
    return np.stack(fields), points


def _surface_points(vertices: np.ndarray, faces: np.ndarray, seed: int) -> np.ndarray:
    if len(faces) == 0:
        return np.zeros((0, 3))
    import trimesh

    mesh = trimesh.Trimesh(vertices, faces, process=False)
    return trimesh.sample.sample_surface(mesh, SURFACE_POINTS, seed=seed)[0]


def generators(model: ModelBundle, settings: SamplerSettings) -> dict:
    """The generating methods by name: base or with the adapter, independent or shared noise."""

    def run(noise: str, adapter) -> object:
        def latents(truth: Truth) -> torch.Tensor:
            values = truth.rgba.astype(np.float32) / 255.0
            pixels = torch.from_numpy(to_pixels(values[..., :3], values[..., 3:]))
            chosen = replace(settings, noise=noise, seed=truth.seed)
            with torch.inference_mode():
                return sample(model.denoiser, model.image_encoder.tokens(pixels), chosen, adapter=adapter)

        return latents

    methods = {"base, independent noise": run("independent", None), "base, shared noise": run("shared", None)}
    if model.adapter is not None:
        methods["adapter, independent noise"] = run("independent", model.adapter)
        methods["adapter, shared noise"] = run("shared", model.adapter)
    return methods


def score_clip(model: ModelBundle, truth: Truth, latents: torch.Tensor, sampler: CoarseToFine) -> dict[str, float]:
    """IoU and Chamfer distance averaged over frames, and jitter of the field, of one clip's latents [T,N,C]."""
    fields, points = decode_fields(model, latents, sampler)
    return {
        "iou": float(np.mean([occupancy_iou(a > 0, b > 0) for a, b in zip(fields, truth.fields)])),
        "chamfer": float(np.mean([chamfer_distance(a, b) for a, b in zip(points, truth.points)])),
        "jitter": jitter(fields) / max(jitter(truth.fields), 1e-9),
    }


@dataclass(frozen=True)
class Judge:
    """Everything needed to score one clip: the model, its slots and sampling, the grid, and retrieval baselines."""

    model: ModelBundle
    anchors: np.ndarray
    settings: SamplerSettings
    resolution: int = 64
    neighbours: dict[str, NearestFrames] = field(default_factory=dict)

    def __call__(self, name: tuple[str, int]) -> dict[str, dict[str, float]]:
        """Scores of every method on the clip of one (family, seed)."""
        config = self.model.config
        data = ProceduralSettings(
            frame=config.frame,
            truncation=config.vae.truncation,
            foreground_ratio=config.foreground_ratio,
            image_size=config.image_encoder.image_size,
            frames=config.frames,
        )
        grid = Grid(self.resolution, 1.05)
        sampler = CoarseToFine(grid, config.vae.truncation)
        truth = make_truth(*name, self.model, self.anchors, grid, data)
        methods = {"VAE reconstruction": lambda truth: truth.latents}
        for title, bank in self.neighbours.items():
            methods[title] = lambda truth, bank=bank: torch.from_numpy(bank.latents_of(truth.rgba))
        methods |= generators(self.model, self.settings)
        return {
            title: score_clip(self.model, truth, latents_of(truth), sampler) for title, latents_of in methods.items()
        }


def evaluate(
    judge: Judge,
    clips: int = 48,
    split: str = "test",
    workers: int = 1,
    progress: Progress | None = None,
    check: Check | None = None,
) -> dict[str, dict[str, np.ndarray]]:
    """Scores [clips] by method and measure on held-out clips: new seeds, or the family kept out of training.

    The same for any number of ``workers`` (processes) up to the rounding of threaded sums.
    """
    names, rows = clip_names(0, clips, split), []
    with _mapper(judge, workers) as scored:
        for row in scored(names):
            rows.append(row)
            tick(progress, check, len(rows), len(names))
    return {
        title: {key: np.array([row[title][key] for row in rows]) for key in measures}
        for title, measures in rows[0].items()
    }


_judge: Judge | None = None


def _start(judge: Judge) -> None:
    global _judge
    torch.set_num_threads(1)
    _judge = judge


def _score(name: tuple[str, int]) -> dict[str, dict[str, float]]:
    return _judge(name)


@contextmanager
def _mapper(judge: Judge, workers: int) -> Iterator[Callable]:
    if workers <= 1:
        yield lambda names: map(judge, names)
        return
    with ProcessPoolExecutor(workers, initializer=_start, initargs=(judge,)) as pool:
        yield lambda names: pool.map(_score, names)


def table(scores: dict[str, dict[str, np.ndarray]]) -> Iterator[str]:
    """Markdown lines: mean and standard error over clips of every method, then paired differences to retrieval."""
    yield "| method | IoU | Chamfer | jitter / true |"
    yield "|---|---|---|---|"
    for name, values in scores.items():
        cells = ["{:.3f} +- {:.3f}".format(*mean_and_error(values[key])) for key in ("iou", "chamfer", "jitter")]
        yield f"| {name} | " + " | ".join(cells) + " |"
    generated = [name for name in scores if "noise" in name]
    for base in (name for name in scores if name.startswith("nearest")):
        for name in generated:
            gain = mean_and_error(scores[name]["iou"] - scores[base]["iou"])
            gap = mean_and_error(scores[name]["chamfer"] - scores[base]["chamfer"])
            yield f"{name} - {base}: IoU {gain[0]:+.3f} +- {gain[1]:.3f}, Chamfer {gap[0]:+.3f} +- {gap[1]:.3f}"
    for kind in ("base", "adapter"):
        pair = f"{kind}, shared noise", f"{kind}, independent noise"
        if all(name in scores for name in pair):
            ratio = scores[pair[0]]["jitter"].mean() / scores[pair[1]]["jitter"].mean()
            yield f"{kind}: jitter with shared noise is {ratio:.2f} of independent noise"
