"""Procedural clips as shards: which family and seed each split holds, and making the missing ones."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..optional_packages import needed
from .families import HELD_OUT, HELD_OUT_MOTIONS, TRAINING
from .jobs import MADE, Outcome, run_jobs
from .shard_file import checked_split, is_finished, shard_path, write_shard

if TYPE_CHECKING:
    from .procedural import ProceduralSettings

TEST_SEED = 1_000_000
"""Seeds from here on are never used for training clips."""


def clip_names(start: int, count: int, split: str = "train") -> list[tuple[str, int]]:
    """(family, seed) of ``count`` procedural clips from index ``start``.

    ``split``: "train", "test" (new seeds), "unseen" (the family) or "motion" (the motions kept out of training).
    """
    families = list({"unseen": HELD_OUT, "motion": HELD_OUT_MOTIONS}.get(checked_split(split), TRAINING))
    offset = 0 if split == "train" else TEST_SEED
    return [(families[i % len(families)], offset + i) for i in range(start, start + count)]


def generate(
    folder: str | Path,
    clips: int,
    split: str = "train",
    workers: int = 2,
    settings: ProceduralSettings | None = None,
) -> Iterator[Outcome]:
    """Write the missing shards of procedural clips and yield each outcome as it comes, so that a rerun resumes.

    Raises InputError when numba is missing and when the folder holds clips made with other settings.
    """
    settings = settings or _procedural().ProceduralSettings()
    jobs = []
    for index, (family, seed) in enumerate(clip_names(0, clips, split)):
        path = shard_path(folder, split, f"{index:06d}-{family}")
        if not is_finished(path, asdict(settings)):
            jobs.append((path.stem, (str(path), family, seed, settings)))
    yield from run_jobs(write_procedural, jobs, workers)


def write_procedural(name: str, job: tuple[str, str, int, ProceduralSettings]) -> Outcome:
    """Build one procedural clip and write its shard: (path, family, seed, settings)."""
    path, family, seed, settings = job
    procedural = _procedural()
    clip, asset = procedural.build_clip(family, seed, settings), procedural.build_asset(family, seed, settings)
    frames = settings.frames
    view = settings.frame == "view"
    arrays = {
        **clip,
        "sharp": np.zeros((frames, 0, 6), np.float16),
        "aligned_sharp": np.zeros((frames, 0, 6), np.float16),
        "rgba": clip["rgba"][None],
        "azimuth": np.array([0.0 if view else asset.look.azimuth_degrees], np.float32),
        "elevation": np.array([asset.look.elevation_degrees], np.float32),
        "root_motion": np.zeros((frames, 3), np.float32),
    }
    write_shard(path, arrays, _description(name, asset))
    return Outcome(name, MADE, path)


def _description(name: str, asset: Any) -> dict[str, Any]:
    return {
        "name": name,
        "source": f"procedural:{asset.family}",
        "seed": asset.seed,
        "licence": "Apache-2.0",
        "attribution": "The ShapeGen4D authors",
        "sha256": None,
        "fps": asset.settings.fps,
        "frame": asset.settings.frame,
        "centre": asset.centre.tolist(),
        "zoom": float(asset.zoom),
        "thickness": None,
        "settings": asdict(asset.settings),
    }


def _procedural() -> Any:
    with needed("Procedural shapes need", "numba"):
        from . import procedural
    return procedural
