"""Files in and out, the same for every verb: how sequences are read and written, and what is refused before work."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import InputError
from ..progress import Progress
from ..storage import check_target

if TYPE_CHECKING:
    from ..sequence import MeshSequence

SAVED = ".safetensors"
SEQUENCES = (".glb", SAVED)


def check_outputs(chosen: argparse.Namespace, accepted: Mapping[str, tuple[str, ...]]) -> None:
    """Refuse files that could not be written, before anything is computed.

    ``accepted`` has the suffixes for the name of every option; none are compared where it has none. Raises InputError
    for another suffix, a folder that does not exist, a folder in the place of a file, and two options for one file.
    """
    taken: dict[Path, str] = {}
    for name, suffixes in accepted.items():
        path, option = getattr(chosen, name), "--" + name.replace("_", "-")
        if path is None:
            continue
        if suffixes and path.suffix.lower() not in suffixes:
            raise InputError(f"{option} is {path}; give a name that ends in {' or '.join(suffixes)}.")
        if path.suffix:
            check_target(path)
        place = path.resolve()
        if place in taken:
            raise InputError(f"{taken[place]} and {option} are both {path}; give each a name of its own.")
        taken[place] = option


def read_sequence(path: Path) -> MeshSequence:
    """A mesh sequence from .safetensors, or from an animated .glb or .gltf; raises InputError."""
    from ..importing import load_sequence
    from ..sequence import MeshSequence

    return MeshSequence.load(path) if path.suffix.lower() == SAVED else load_sequence(path)


def write_sequence(meshes: MeshSequence, path: Path, unlit: bool = False, progress: Progress | None = None) -> None:
    """A mesh sequence as .safetensors, or as a GLB that moves smoothly where the topology allows it.

    ``unlit`` concerns GLB files with a texture. Raises InputError.
    """
    from ..export import uses_morph_targets, write_glb

    if path.suffix.lower() == SAVED:
        meshes.save(path)
        return
    interpolation = "LINEAR" if uses_morph_targets(meshes) else "STEP"
    unlit = unlit and meshes.texture is not None
    write_glb(meshes, path, interpolation=interpolation, unlit=unlit, progress=progress)


def check_device(name: str | None) -> None:
    """Refuse a torch device that is unknown or not there; raises InputError. None leaves the choice to the verb."""
    if name is None:
        return
    import torch

    try:
        torch.empty(1, device=name)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise InputError(
            f"--device is {name!r}, which torch cannot use here; give cpu, or cuda where torch finds a GPU."
        ) from error
