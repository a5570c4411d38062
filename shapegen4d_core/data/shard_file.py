"""Shards: one asset per safetensors file ``DATA/<split>/<name>.safetensors``, written whole or not at all.

Arrays, float16 unless said otherwise (T frames, K views, S pixels): ``surface [T,P,6]`` position and outward normal,
area-uniform; ``sharp [T,Ps,6]`` near sharp edges; ``aligned [T,Q,6]`` query points carried by the animation, in
farthest-point order on frame 1; ``aligned_sharp [T,Qs,6]``; ``near [T,Pn,4]`` and ``uniform [T,Pu,4]`` position and
field, positive inside, truncated to [-1,1]; ``rgba [K,T,S,S,4]`` uint8 straight alpha, one camera per view;
``azimuth [K]`` and ``elevation [K]`` float32 in degrees; ``root_motion [T,3]`` float32, what was subtracted.
Lengths in half boxes. "canonical" shards keep the asset's axes; "view" ones are turned so that their only camera
has azimuth 0.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from ..errors import InputError
from ..storage import atomic_path

FORMAT = "shapegen4d-shard-1"
SPLITS = ("train", "test", "unseen", "motion")
FRAMES = ("view", "canonical")
KEYS = (
    *("surface", "sharp", "aligned", "aligned_sharp", "near", "uniform"),
    *("rgba", "azimuth", "elevation", "root_motion"),
)


def checked_split(split: str) -> str:
    """``split`` itself; raises InputError when it is none of SPLITS."""
    if split not in SPLITS:
        raise InputError(f"split={split!r} is unknown; use one of {', '.join(SPLITS)}")
    return split


def shard_path(folder: str | Path, split: str, name: str) -> Path:
    """Where the shard of an asset lies; raises InputError for an unknown split or a name with other than a-z0-9._-."""
    if not re.fullmatch(r"[a-z0-9_-][a-z0-9._-]*", name):
        raise InputError(f"The asset name {name!r} is not usable; accepted are the characters a-z, 0-9, . _ and -.")
    return Path(folder) / checked_split(split) / f"{name}.safetensors"


def asset_name(shard: str, frame: str) -> str:
    """The name of the asset in that of its shard, which ends with the view when it was turned to one."""
    return re.sub(r"-v\d+$", "", shard) if frame == "view" else shard


def write_shard(path: str | Path, arrays: Mapping[str, np.ndarray], asset: Mapping[str, Any]) -> None:
    """Write the arrays of one asset and ``asset``, a description that JSON can hold, making the folder if needed.

    Raises InputError when an array of the format is missing.
    """
    missing = [key for key in KEYS if key not in arrays]
    if missing:
        raise InputError(f"A shard needs the arrays {', '.join(KEYS)}; {', '.join(missing)} are missing.")
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    whole = {key: np.ascontiguousarray(arrays[key]) for key in KEYS}
    header = {"format": FORMAT, "asset": json.dumps(dict(asset), allow_nan=False)}
    with atomic_path(path) as temporary:
        save_file(whole, temporary, metadata=header)
        _sort_header(temporary)


def _sort_header(path: Path) -> None:
    """Put the header's text fields in order, which the library leaves to chance: the same asset, the same bytes."""
    with path.open("r+b") as file:
        size = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(size))
        header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
        text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
        if len(text) <= size:
            file.seek(8)
            file.write(text.ljust(size))


def read_asset(path: str | Path) -> dict[str, Any]:
    """The description of the asset in a shard: name, source, licence, frame, settings and so on.

    Raises InputError when the file is damaged or not a shard.
    """
    try:
        with safe_open(path, "np") as file:
            header = file.metadata() or {}
        if header.get("format") != FORMAT:
            raise InputError(f"{path} is not a shard of format {FORMAT}; make it again with 'shapegen4d curate'.")
        asset = json.loads(header["asset"])
    except (SafetensorError, OSError, KeyError, ValueError, RecursionError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path} is damaged; remove it and run 'shapegen4d curate' again.") from error
    if not isinstance(asset, dict) or asset.get("frame") not in FRAMES:
        raise InputError(f"{path} has a damaged description; remove it and run 'shapegen4d curate' again.")
    return asset


def is_finished(path: str | Path, settings: Mapping[str, Any], **recorded: str) -> bool:
    """Whether the shard is there and its description says what is ``recorded``, such as its licence.

    Raises InputError when it was made with other settings.
    """
    if not Path(path).exists():
        return False
    asset = read_asset(path)
    found, wanted = asset.get("settings"), json.loads(json.dumps(settings))
    found = found if isinstance(found, dict) else {}
    if found != wanted:
        odd = sorted(key for key in found.keys() | wanted.keys() if found.get(key) != wanted.get(key))
        raise InputError(f"{path} was made with another {', '.join(odd)}; {_remedy(asset)}.")
    return all(asset.get(key) == value for key, value in recorded.items())


def _remedy(asset: Mapping[str, Any]) -> str:
    """Procedural shapes have no options for their settings."""
    return "give the same settings or another folder" if asset.get("sha256") else "give another folder"
