"""Files in and out, the same for every verb: how sequences are read and written, and what is refused before work."""

from __future__ import annotations

import argparse
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import InputError
from ..progress import Progress
from ..storage import check_target

if TYPE_CHECKING:
    from ..sequence import MeshSequence

SAVED = ".safetensors"
SEQUENCES = None  # instead of suffixes: whatever a mesh sequence can be written to
WRITTEN = "the file to write: .glb, .usdz, .usdc, .usda, .pc2, .mdd, .safetensors, or a new folder"
READ = "mesh sequence: .glb, .gltf, .usd*, .pc2, .mdd, .safetensors, or a folder of .obj, .ply or .glb"


def check_outputs(chosen: argparse.Namespace, accepted: Mapping[str, tuple[str, ...] | None]) -> None:
    """Refuse files that could not be written, before anything is computed.

    ``accepted`` has the suffixes for the name of every option; none are compared where it has none, and
    :data:`SEQUENCES` stands for any format of a mesh sequence. Raises InputError for another suffix, a folder that does
    not exist, a folder in the place of a file, and two options for one file.
    """
    taken: dict[Path, str] = {}
    for name, suffixes in accepted.items():
        path, option = getattr(chosen, name), "--" + name.replace("_", "-")
        if path is None:
            continue
        if suffixes is SEQUENCES:
            check_sequence_output(path)
        elif suffixes and path.suffix.lower() not in suffixes:
            raise InputError(f"{option} is {path}; give a name that ends in {' or '.join(suffixes)}.")
        elif path.suffix:
            check_target(path)
        place = path.resolve()
        if place in taken:
            raise InputError(f"{taken[place]} and {option} are both {path}; give each a name of its own.")
        taken[place] = option


def check_sequence_output(path: Path, options: Collection[str] = ()) -> None:
    """Refuse a destination that no writer can fill with these options, or not without an extra; raises InputError."""
    from ..export import check_destination

    check_destination(path, options)


def holds(path: Path, option: str) -> bool:
    """Whether the format of a file name has an option of the writers."""
    from ..export import format_of

    return option in format_of(path).options


def read_sequence(path: Path, fps: float | None = None, progress: Progress | None = None) -> MeshSequence:
    """A mesh sequence from any file or folder that holds one; raises InputError."""
    from ..importing import read_sequence

    return read_sequence(path, fps=fps, progress=progress)


def write_sequence(
    meshes: MeshSequence, path: Path, unlit: bool = False, progress: Progress | None = None, **options: Any
) -> None:
    """A mesh sequence in the format its name asks for, moving smoothly where the topology allows it.

    ``unlit`` concerns files with a texture, ``options`` are those of the format. Raises InputError.
    """
    from ..export import write_sequence

    write_sequence(meshes, path, unlit=unlit, progress=progress, **options)


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
