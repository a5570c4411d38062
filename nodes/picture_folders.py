"""Which folders Load Image Sequence offers, and where the chosen one lies."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

from . import listed_files
from .listed_files import NONE

_MOST = 1000  # folders looked into below each


def choices() -> list[str]:
    """Names for the list: folders with pictures below the input folder, and below output, marked, newest first."""
    return listed_files.choices(_folders)


def _folders(base: Path) -> list[Path]:
    from ..shapegen4d_core.video.images import SUFFIXES

    below = islice(listed_files.folders(base), _MOST)
    found = [folder for folder, _, files in below if any(name.lower().endswith(SUFFIXES) for name in files)]
    return [folder for folder in found if folder != base]


def resolve(name: str) -> Path:
    """The folder that a name of :func:`choices` means; ValueError when it is not there or lies elsewhere."""
    if name == NONE:
        raise ValueError(
            "No folder is chosen in folder; choose one, or put a folder of pictures into ComfyUI's input folder and "
            "press R."
        )
    path = listed_files.find(name)
    if path is None or not path.is_dir():
        raise ValueError(
            f"There is no folder {name!r} below ComfyUI's input or output folder; put it into the input folder, press "
            "R and choose it from the list."
        )
    return path


def fingerprint(name: str) -> str:
    """A value that changes when a file of the folder changes, comes or goes."""
    if name == NONE:
        return NONE
    return listed_files.stamp(sorted(path for path in resolve(name).iterdir() if path.exists()))
