"""Which files Load Mesh Sequence offers, and where the chosen one lies."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from . import listed_files
from .listed_files import NONE

FOLDER = "3d"  # below input and output; the core keeps its 3D files there
FRAMES = (".obj", ".ply")  # two of one kind in a folder are a sequence


def choices() -> list[str]:
    """Names for the list: what lies below input/3d, and below output/3d, marked as the host does, newest first."""
    return listed_files.choices(_sequences)


def _sequences(base: Path) -> list[Path]:
    from ..shapegen4d_core.importing.read import SUFFIXES
    from ..shapegen4d_core.manifest import MANIFEST

    folders: dict[Path, list[Path]] = {}
    for path in listed_files.walk(base / FOLDER):
        folders.setdefault(path.parent, []).append(path)
    found = []
    for folder, files in folders.items():
        if folder / MANIFEST in files:
            found.append(folder / MANIFEST)
            continue
        kinds = Counter(path.suffix.lower() for path in files)
        if folder != base / FOLDER and any(kinds[suffix] > 1 for suffix in FRAMES):
            found.append(folder)
        found += [path for path in files if path.suffix.lower() in SUFFIXES]
    return found


def fingerprint(name: str) -> str:
    """A value that changes when the file, one beside it of the same name, or a file of the folder changes."""
    if name == NONE:
        return NONE
    path = listed_files.resolve(name, FOLDER)
    whole = path.is_dir() or path.suffix == ".json"
    beside = sorted((path if path.is_dir() else path.parent).iterdir())
    return listed_files.stamp(file for file in beside if file.exists() and (whole or file.name.startswith(path.stem)))


@contextmanager
def located(name: str, model_3d: Any) -> Iterator[Path]:
    """Path of what is to be read; a 3D file that another node keeps in memory is on the disk as long as this lasts."""
    if model_3d is None:
        if name == NONE:
            raise ValueError("No file is chosen; choose one in file, or connect model_3d.")
        yield listed_files.resolve(name, FOLDER)
        return
    if model_3d.is_disk_backed:
        yield Path(model_3d.get_source())
        return
    import folder_paths

    folder = Path(folder_paths.get_temp_directory())
    folder.mkdir(parents=True, exist_ok=True)
    suffix = "".join(filter(str.isalnum, model_3d.format))
    path = folder / f"{uuid.uuid4().hex}.{suffix}"
    try:
        model_3d.save_to(str(path))
        yield path
    finally:
        path.unlink(missing_ok=True)
