"""Shards of training clips: all as one array per key, one shard at a time, or pictures that stay in their files.

The format is in :mod:`.shard_file`; procedural ones come from :mod:`.procedural_shards`, others from
:mod:`.curation`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open

from ..errors import InputError
from .parts import rotation
from .procedural_shards import clip_names, generate
from .shard_file import FRAMES, KEYS, checked_split, read_asset, shard_path, write_shard
from .stored import StoredRows, stored_array

__all__ = [
    "Shard",
    "clip_names",
    "describe_shards",
    "generate",
    "open_shards",
    "read_asset",
    "read_shards",
    "shard_path",
    "stored_pictures",
    "write_shard",
]

_PER_VIEW = ("rgba", "azimuth", "elevation")
_POSITIONS = ("surface", "sharp", "aligned", "aligned_sharp", "near", "uniform")
_WITH_NORMALS = _POSITIONS[:4]


@dataclass(frozen=True)
class Shard:
    """A shard on disk: ``views`` clips, with the shape and type of every wanted array.

    turned: what it holds is turned to each view as it is read, and fitted to ``margin``.
    """

    path: Path
    views: int
    turned: bool
    margin: float
    shapes: dict[str, tuple[tuple[int, ...], np.dtype]]

    def read(self) -> dict[str, np.ndarray]:
        """The arrays [views,T,...], or [1,T,...] of what all views share; raises InputError for a damaged file."""
        rows = {
            key: np.empty((self.views if self.turned or key in _PER_VIEW else 1, *shape), dtype)
            for key, (shape, dtype) in self.shapes.items()
        }
        _fill(self, rows)
        return rows


def read_shards(
    folder: str | Path, split: str = "train", keys: tuple[str, ...] | None = None, frame: str = "view"
) -> dict[str, np.ndarray]:
    """The clips of a split, one per asset and view, in the order of the file names: arrays [clips,T,...].

    ``keys`` default to all; ``rgba`` is [clips,T,S,S,4], ``azimuth`` and ``elevation`` [clips]. With ``frame="view"``
    canonical shards are turned by their view's azimuth, so that the camera looks along -z, and fitted to the box
    again (where that shrinks them, field values at the truncation stay there). Raises InputError when there are no
    shards, when they do not fit together, and for "view" shards when ``frame`` is "canonical".
    """
    shards = open_shards(folder, split, keys, frame)
    count = sum(shard.views for shard in shards)
    out = {key: np.empty((count, *shape), dtype) for key, (shape, dtype) in shards[0].shapes.items()}
    start = 0
    for shard in shards:
        _fill(shard, {key: array[start : start + shard.views] for key, array in out.items()})
        start += shard.views
    return out


def open_shards(
    folder: str | Path, split: str = "train", keys: tuple[str, ...] | None = None, frame: str = "view"
) -> list[Shard]:
    """The shards of a split in the order of their names, only their headers read; arguments and errors as above."""
    if frame not in FRAMES:
        raise InputError(f"frame={frame!r} is unknown; use 'view' or 'canonical'")
    keys = tuple(keys or KEYS)
    unknown = sorted(set(keys) - set(KEYS))
    if unknown:
        raise InputError(f"Shards hold no {', '.join(unknown)}; choose among {', '.join(KEYS)}.")
    paths = _paths(folder, split)
    shards = [_look(path, keys, frame) for path in paths]
    for shard in shards:
        for key in keys:
            if shard.shapes[key] != shards[0].shapes[key]:
                raise InputError(
                    f"{shard.path} has {key} {_say(shard.shapes[key])}, but {shards[0].path.name} has "
                    f"{_say(shards[0].shapes[key])}; keep sets made with other settings in another folder."
                )
    return shards


def stored_pictures(folder: str | Path, split: str = "train", frame: str = "view") -> StoredRows:
    """Pictures [clips,T,S,S,4] uint8 of a split, which stay in the shards; raises InputError as ``read_shards``."""
    return StoredRows([stored_array(shard.path, "rgba") for shard in open_shards(folder, split, ("rgba",), frame)])


def describe_shards(folder: str | Path, split: str) -> dict[str, Any]:
    """The description of every shard of a split, by name: what two sets must share to be the same one.

    Raises InputError when there are none, or damaged ones.
    """
    return {path.stem: read_asset(path) for path in _paths(folder, split)}


def _paths(folder: str | Path, split: str) -> list[Path]:
    paths = sorted((Path(folder) / checked_split(split)).glob("*.safetensors"))
    if not paths:
        raise InputError(f"no {split} shards in {folder}; make them first with 'shapegen4d curate'")
    return paths


def _say(shape: tuple[tuple[int, ...], np.dtype]) -> str:
    return f"{list(shape[0])} {shape[1]}"


def _look(path: Path, keys: tuple[str, ...], frame: str) -> Shard:
    """What a shard holds, from its header."""
    asset = read_asset(path)
    if frame == "canonical" and asset["frame"] == "view":
        raise InputError(f"{path} is already turned to its view; read it with frame='view'.")
    shapes = {}
    with safe_open(path, "np") as file:
        held = set(file.keys())
        missing = [key for key in (*keys, "azimuth", "surface") if key not in held]
        if missing:
            raise InputError(f"{path} lacks {', '.join(missing)}; remove it and run 'shapegen4d curate' again.")
        views = file.get_slice("azimuth").get_shape()[0]
        for key in keys:
            part = file.get_slice(key)
            shape = tuple(part.get_shape())
            if key in _PER_VIEW and shape[0] != views:
                raise InputError(f"{path} has {views} views but {key} {list(shape)}; make it again.")
            shapes[key] = (shape[1:] if key in _PER_VIEW else shape, _dtype(path, key, part.get_dtype()))
    margin = _number(asset.get("settings"), "margin", 0.97)
    return Shard(path, views, asset["frame"] == "canonical" and frame == "view", margin, shapes)


def _dtype(path: Path, key: str, name: str) -> np.dtype:
    kinds = {"F16": np.float16, "F32": np.float32, "U8": np.uint8}
    if name not in kinds:
        raise InputError(f"{path} stores {key} as {name}, accepted are {', '.join(kinds)}.")
    return np.dtype(kinds[name])


def _number(settings: Any, key: str, default: float) -> float:
    value = settings.get(key, default) if isinstance(settings, dict) else default
    return float(value) if isinstance(value, (int, float)) else default


def _fill(shard: Shard, rows: dict[str, np.ndarray]) -> None:
    """Copy one shard into its ``rows`` [K,...] of the output."""
    try:
        with safe_open(shard.path, "np") as file:
            for key, array in rows.items():
                array[...] = file.get_tensor(key)
            if shard.turned:
                surface, azimuth = file.get_tensor("surface"), file.get_tensor("azimuth")
    except (SafetensorError, OSError, ValueError) as error:
        raise InputError(f"{shard.path} is damaged; remove it and run 'shapegen4d curate' again.") from error
    if shard.turned:
        for view, angle in enumerate(azimuth):
            turn = rotation("y", -float(angle)).astype(np.float32)
            centre, scale = _fit(surface, turn, shard.margin)
            for key, array in rows.items():
                _turn(key, array[view : view + 1], turn, centre, scale)


def _fit(surface: np.ndarray, turn: np.ndarray, margin: float) -> tuple[np.ndarray, float]:
    """Centre and scale that bring the turned sequence to [-margin, margin], longest side."""
    points = surface[..., :3].astype(np.float32) @ turn.T
    low, high = points.min((0, 1)), points.max((0, 1))
    return (low + high) / 2, 2 * margin / float((high - low).max())


def _turn(key: str, array: np.ndarray, turn: np.ndarray, centre: np.ndarray, scale: float) -> None:
    """Turn and fit one view of one array in place."""
    if key in _POSITIONS:
        array[..., :3] = (array[..., :3].astype(np.float32) @ turn.T - centre) * scale
    if key in _WITH_NORMALS:
        array[..., 3:] = array[..., 3:].astype(np.float32) @ turn.T
    elif key in _POSITIONS:
        value = array[..., 3].astype(np.float32)
        array[..., 3] = np.where(np.abs(value) >= 1, value, (value * scale).clip(-1, 1))
    elif key == "root_motion":
        array[...] = (array @ turn.T) * scale
    elif key == "azimuth":
        array[...] = 0.0
