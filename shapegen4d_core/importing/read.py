"""Reads a mesh sequence from whatever holds one: every format that is written, and files of other programs."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..manifest import MANIFEST
from ..progress import Check, Progress
from ..sequence import MeshSequence

GLTF, USD, CACHES = (".glb", ".gltf"), (".usdz", ".usdc", ".usda", ".usd"), (".pc2", ".mdd")
SAVED = ".safetensors"
SUFFIXES = (*GLTF, *USD, *CACHES, SAVED)


def read_sequence(
    path: str | os.PathLike,
    *,
    fps: float | None = None,
    progress: Progress | None = None,
    check: Check | None = None,
) -> MeshSequence:
    """The sequence in ``path``: animated GLB or glTF, USD, a point cache beside its base mesh, a folder of numbered
    meshes (or its ``sequence.json``), or a saved .safetensors file.

    ``fps`` replaces the rate the file says, and is that of a folder which says none; an animated glTF is looked at that
    many times per second. Raises InputError for anything else.
    """
    path = Path(path)
    suffix, hooks = path.suffix.lower(), {"progress": progress, "check": check}
    is_folder = os.path.isdir(path)  # no error for names that no system has
    if is_folder or path.name == MANIFEST:
        from .mesh_folder import read_mesh_folder

        return read_mesh_folder(path if is_folder else path.parent, fps=fps, **hooks)
    if suffix in GLTF:
        from .load import load_sequence

        return load_sequence(path, fps=fps, **hooks)
    return _at(fps, _read_file(path, suffix, hooks))


def _read_file(path: Path, suffix: str, hooks: dict[str, Any]) -> MeshSequence:
    if suffix in USD:
        from .usd import read_usd

        return read_usd(path, **hooks)
    if suffix in CACHES:
        from .point_cache import read_point_cache

        return read_point_cache(path, **hooks)
    if suffix == SAVED:
        return MeshSequence.load(path)
    raise InputError(
        f"Cannot read {path} as a mesh sequence: accepted are {', '.join(SUFFIXES)}, or a folder of OBJ, PLY or GLB "
        "files."
    )


def _at(fps: float | None, sequence: MeshSequence) -> MeshSequence:
    return sequence if fps is None else replace(sequence, fps=fps)
