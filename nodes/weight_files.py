"""Optional weights on the user's disk: safetensors files below ``models/shapegen4d`` whose path names what they are."""

from __future__ import annotations

from pathlib import Path

from . import folders

NONE = "none"


def weight_files(kind: str) -> dict[str, Path]:
    """Name shown in the list -> file, for every .safetensors file or its folder named after ``kind``, such as vggt."""
    import folder_paths

    found: dict[str, Path] = {}
    for root in folder_paths.get_folder_paths(folders.KIND):
        for path in sorted(Path(root).rglob("*.safetensors")):
            name = path.relative_to(root).as_posix()
            if kind in name.lower():
                found.setdefault(name, path)
    return found


def choices(kind: str) -> list[str]:
    """What the list of a node offers: none first."""
    return [NONE, *weight_files(kind)]


def chosen(kind: str, name: str) -> Path | None:
    """The file of a name of :func:`choices`; ValueError for one that is not there."""
    if name == NONE:
        return None
    files = weight_files(kind)
    if name not in files:
        raise ValueError(f"There is no {name!r} under models/{folders.KIND}; choose one of {', '.join(choices(kind))}.")
    return files[name]
