"""Shards of procedural clips: one safetensors file each, written whole or not at all, made by plain processes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

from ..errors import InputError
from ..storage import atomic_path
from .families import HELD_OUT, TRAINING
from .procedural import ProceduralSettings, build_clip

SHARD_CLIPS = 40
TEST_SEED = 1_000_000
"""Seeds from here on are never used for training clips."""


def clip_names(start: int, count: int, split: str = "train") -> list[tuple[str, int]]:
    """(family, seed) of ``count`` clips from index ``start``.

    ``split``: "train", "test" (new seeds) or "unseen" (the family kept out of training).
    """
    if split not in ("train", "test", "unseen"):
        raise InputError(f"split={split!r} is unknown; use 'train', 'test' or 'unseen'")
    families = list(HELD_OUT if split == "unseen" else TRAINING)
    offset = 0 if split == "train" else TEST_SEED
    return [(families[i % len(families)], offset + i) for i in range(start, start + count)]


def write_shard(path: str, names: list[tuple[str, int]], settings: ProceduralSettings) -> str:
    """Build the named clips and write them stacked along a first axis of clips; returns the path."""
    clips = [build_clip(family, seed, settings) for family, seed in names]
    arrays = {key: np.stack([clip[key] for clip in clips]) for key in clips[0]}
    header = {"clips": json.dumps(names), "settings": json.dumps(asdict(settings)), "licence": "Apache-2.0"}
    with atomic_path(path) as temporary:
        save_file(arrays, temporary, metadata=header)
    return path


def generate(
    folder: str | Path,
    clips: int,
    split: str = "train",
    workers: int = 2,
    settings: ProceduralSettings | None = None,
) -> Iterator[str]:
    """Write the missing shards of a data set and yield each path as it is finished, so that a rerun resumes."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    settings = settings or ProceduralSettings()
    jobs = []
    for start in range(0, clips, SHARD_CLIPS):
        path = folder / f"{split}-{start // SHARD_CLIPS:05d}.safetensors"
        if not path.exists():
            jobs.append((str(path), clip_names(start, min(SHARD_CLIPS, clips - start), split), settings))
    if workers <= 1:
        yield from (write_shard(*job) for job in jobs)
        return
    with ProcessPoolExecutor(workers) as pool:
        for future in [pool.submit(write_shard, *job) for job in jobs]:
            yield future.result()


def read_shards(
    folder: str | Path, split: str = "train", keys: tuple[str, ...] | None = None, skip: int = 0
) -> dict[str, np.ndarray]:
    """All shards of a split, from number ``skip`` on, stacked: each array begins with an axis of clips."""
    paths = sorted(Path(folder).glob(f"{split}-*.safetensors"))[skip:]
    if not paths:
        raise InputError(f"no {split} shards in {folder}; make them first with 'shapegen4d curate'")
    parts = [load_file(path) for path in paths]
    return {key: np.concatenate([part[key] for part in parts]) for key in (keys or parts[0])}
