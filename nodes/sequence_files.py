"""Which files Load Mesh Sequence offers, and where the chosen one lies."""

from __future__ import annotations

import os
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

NONE = "none"
FOLDER = "3d"  # below input and output; the core keeps its 3D files there
FRAMES = (".obj", ".ply")  # two of one kind in a folder are a sequence
_OUTPUT = " [output]"  # how the host marks names below its output folder
_MOST = 5000  # files looked at below each


def choices() -> list[str]:
    """Names for the list: what lies below input/3d, and below output/3d, marked as the host does, newest first."""
    import folder_paths

    given, made = Path(folder_paths.get_input_directory()), Path(folder_paths.get_output_directory())
    newest = sorted(_names(made), key=lambda name: -_changed(made / name))
    return [NONE, *_names(given), *(name + _OUTPUT for name in newest)]


def _changed(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:  # gone since it was listed
        return 0.0


def _names(base: Path) -> list[str]:
    from ..shapegen4d_core.importing.read import SUFFIXES
    from ..shapegen4d_core.manifest import MANIFEST

    folders: dict[Path, list[Path]] = {}
    for path in islice((base / FOLDER).rglob("*"), _MOST):
        if os.path.exists(path):  # a link may lead nowhere
            folders.setdefault(path.parent, []).append(path)
    names = []
    for folder, files in folders.items():
        if folder / MANIFEST in files:
            names.append(folder / MANIFEST)
            continue
        kinds = Counter(path.suffix.lower() for path in files)
        if folder != base / FOLDER and any(kinds[suffix] > 1 for suffix in FRAMES):
            names.append(folder)
        names += [path for path in files if path.suffix.lower() in SUFFIXES]
    return sorted(path.relative_to(base).as_posix() for path in names)


def resolve(name: str) -> Path:
    """The file or folder a name of :func:`choices` means; ValueError when it is not there or lies elsewhere."""
    import folder_paths

    marked = name.endswith(_OUTPUT)
    base = Path(folder_paths.get_output_directory() if marked else folder_paths.get_input_directory())
    base = Path(os.path.abspath(base))  # as written: links that people put there are followed
    path = Path(os.path.abspath(base / name.removesuffix(_OUTPUT)))
    if not path.is_relative_to(base) or path == base or not os.path.exists(path):
        raise ValueError(
            f"There is no {name!r} below ComfyUI's input or output folder; put the file into input/3d, press R and "
            "choose it from the list."
        )
    return path


def fingerprint(name: str) -> str:
    """A value that changes when the file, one beside it of the same name, or a file of the folder changes."""
    if name == NONE:
        return NONE
    path = resolve(name)
    whole = path.is_dir() or path.suffix == ".json"
    beside = sorted((path if path.is_dir() else path.parent).iterdir())
    files = [file for file in beside if file.exists() and (whole or file.name.startswith(path.stem))]
    return ";".join(f"{file.name}:{file.stat().st_size}:{file.stat().st_mtime_ns}" for file in files)


@contextmanager
def located(name: str, model_3d: Any) -> Iterator[Path]:
    """Path of what is to be read; a 3D file that another node keeps in memory is on the disk as long as this lasts."""
    if model_3d is None:
        if name == NONE:
            raise ValueError("No file is chosen; choose one in file, or connect model_3d.")
        yield resolve(name)
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
