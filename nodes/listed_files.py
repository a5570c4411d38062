"""Files below the host's input and output folders: names for a list, and what a chosen name means."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path

NONE = "none"
_OUTPUT = " [output]"  # how the host marks names below its output folder
_MOST = 5000  # files looked at below each


def choices(search: Callable[[Path], Iterable[Path]]) -> list[str]:
    """Names for the list: what ``search`` finds below the input folder, then below the output folder, newest first."""
    import folder_paths

    given, made = Path(folder_paths.get_input_directory()), Path(folder_paths.get_output_directory())
    newest = sorted(_names(made, search), key=lambda name: -_changed(made / name))
    return [NONE, *_names(given, search), *(name + _OUTPUT for name in newest)]


def folders(base: Path) -> Iterator[tuple[Path, list[str], list[str]]]:
    """``base`` and the folders below it, links followed but none entered twice: each with the names of the folders and
    of the files in it.
    """
    entered = set()
    for folder, below, files in os.walk(base, followlinks=True):
        real = os.path.realpath(folder)
        if real in entered:
            below.clear()
            continue
        entered.add(real)
        yield Path(folder), below, files


def walk(base: Path) -> Iterator[Path]:
    """What lies below ``base``, up to a sensible number; links that lead nowhere are left out."""
    found = (folder / name for folder, below, files in folders(base) for name in [*below, *files])
    return (path for path in islice(found, _MOST) if os.path.exists(path))


def resolve(name: str, folder: str) -> Path:
    """The file or folder a name of :func:`choices` means; ValueError when it is not there or lies elsewhere.

    ``folder`` is where users put such files, below the input folder.
    """
    if name == NONE:
        raise ValueError(f"No file is chosen in file; choose one, or put yours into input/{folder} and press R.")
    path = find(name)
    if path is None:
        raise ValueError(
            f"There is no {name!r} below ComfyUI's input or output folder; put the file into input/{folder}, press R "
            "and choose it from the list."
        )
    return path


def find(name: str) -> Path | None:
    """What a name means; None when nothing is there, or when it leads out of the input and output folders."""
    import folder_paths

    marked = name.endswith(_OUTPUT)
    base = Path(folder_paths.get_output_directory() if marked else folder_paths.get_input_directory())
    base = Path(os.path.abspath(base))  # as written: links that people put there are followed
    path = Path(os.path.abspath(base / name.removesuffix(_OUTPUT)))
    return path if path.is_relative_to(base) and path != base and os.path.exists(path) else None


def stamp(files: Iterable[Path]) -> str:
    """A value that changes when one of the files changes."""
    return ";".join(f"{file.name}:{file.stat().st_size}:{file.stat().st_mtime_ns}" for file in files)


def _names(base: Path, search: Callable[[Path], Iterable[Path]]) -> list[str]:
    return sorted(path.relative_to(base).as_posix() for path in search(base))


def _changed(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:  # gone since it was listed
        return 0.0
