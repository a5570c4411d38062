"""The manifest beside the files of a sequence: what they are, at which rate they play and where they came from.

JSON with one entry "shapegen4d" (version, fps, name, frames, files, others, normals, settings), and beside it whatever
the host wants to remember. A manifest is untrusted when read: it can only name plain files of its own folder.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from .errors import InputError

MANIFEST = "sequence.json"  # of a folder with a mesh per frame
CACHE_MANIFEST = ".cache.json"  # behind the stem of a point cache
ENTRY = "shapegen4d"
FRAME_LIMIT = 1_000_000
_VERSION = 1
_BYTES_LIMIT = 2**26


@dataclass(frozen=True)
class Manifest:
    """What a saved sequence consists of: ``files`` in the order of their frames, ``others`` (materials, texture).

    ``frames`` is their number T, ``fps`` frames per second; ``normals`` says whether the sequence itself had normals,
    so that a reader takes them from the files. Raises InputError.
    """

    fps: float
    name: str
    frames: int
    files: tuple[str, ...]
    others: tuple[str, ...] = ()
    normals: bool = False
    settings: dict = field(default_factory=dict)

    def __post_init__(self) -> None:
        _check_number("fps", self.fps)
        whole = isinstance(self.frames, int) and not isinstance(self.frames, bool)
        if not whole or not 1 <= self.frames <= FRAME_LIMIT:
            raise InputError(f"frames is {self.frames!r:.60}, accepted is a whole number from 1 to {FRAME_LIMIT}")
        for key, kind in (("name", str), ("normals", bool), ("settings", dict)):
            if not isinstance(getattr(self, key), kind):
                raise InputError(f"{key} is {getattr(self, key)!r:.60}, accepted is a {kind.__name__}")
        for key in ("files", "others"):
            for name in getattr(self, key):
                check_plain_name(name, key)
        if not self.files or len(set(self.files + self.others)) != len(self.files) + len(self.others):
            raise InputError("files and others must name at least one file, and none twice")


def check_plain_name(name: Any, where: str) -> None:
    """Raise InputError unless ``name`` is the name of a file in the folder itself, on any system."""
    plain = isinstance(name, str) and name not in ("", ".", "..") and not set(name) & set('/\\:\0')
    if not plain:
        raise InputError(f"{where} names {name!r:.80}, accepted are plain names of files in its own folder")


def check_extras(extras: Mapping[str, Any] | None) -> None:
    """Raise InputError when what the host wants remembered takes the key of our own entry, in any format."""
    if extras is not None and ENTRY in extras:
        raise InputError(f"extras has the key {ENTRY!r}, which the writer fills; use another name.")


def manifest_text(manifest: Manifest, extras: Mapping[str, Any] | None) -> str:
    """``manifest`` and the host's ``extras`` as JSON text in ASCII.

    Raises InputError when extras has an entry of our name or cannot be JSON.
    """
    check_extras(extras)
    document = {ENTRY: {"version": _VERSION, **asdict(manifest)}, **(extras or {})}
    try:
        return json.dumps(document, indent=1, allow_nan=False) + "\n"
    except (TypeError, ValueError, RecursionError) as error:
        raise InputError(f"extras cannot be written as JSON ({error}); pass text.") from error


def find_manifest(path: Path) -> Manifest | None:
    """The manifest at ``path``; None when there is no file, or a JSON object of somebody else without our entry.

    Raises InputError when it is damaged, larger than 64 MiB or of a newer version.
    """
    if not os.path.isfile(path):
        return None
    try:
        if path.stat().st_size > _BYTES_LIMIT:
            raise InputError(f"it has more than {_BYTES_LIMIT >> 20} MiB, the most that is read")
        document = json.loads(path.read_text(encoding="utf-8"))
        entry = document.get(ENTRY) if isinstance(document, dict) else None
        return _manifest(entry) if isinstance(entry, dict) else None
    except InputError as error:
        raise InputError(f"{path} does not describe a sequence: {error}.") from error
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path} cannot be read as JSON ({str(error)[:80]}).") from error


def own_files(path: Path) -> set[str]:
    """Names of the files that the manifest of ours at ``path`` lists, its own included; none when it is not ours."""
    try:
        manifest = find_manifest(path)
    except InputError:  # damaged, so it proves nothing
        return set()
    return set() if manifest is None else {path.name, *manifest.files, *manifest.others}


def _manifest(entry: dict[str, Any]) -> Manifest:
    if entry.get("version") != _VERSION:
        raise InputError(f"its version is {entry.get('version')!r:.20}, this release reads version {_VERSION}")
    lists = {key: entry.get(key, []) for key in ("files", "others")}
    for key, names in lists.items():
        if not isinstance(names, list):
            raise InputError(f"{key} is not a list")
    missing = [key for key in ("fps", "name", "frames") if key not in entry]
    if missing:
        raise InputError(f"it lacks {', '.join(missing)}")
    return Manifest(
        fps=entry["fps"],
        name=entry["name"],
        frames=entry["frames"],
        files=tuple(lists["files"]),
        others=tuple(lists["others"]),
        normals=entry.get("normals", False),
        settings=entry.get("settings", {}),
    )


def _check_number(name: str, value: Any) -> None:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not number or not 0 < value <= sys.float_info.max:
        raise InputError(f"{name} is {value!r:.60}, accepted is a positive number")
