"""Networks that are used when their weights are on the disk: VGGT and DreamSim. Nothing is ever downloaded."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from torch import Tensor

from ..errors import InputError

OPTIONAL = ("vggt", "dreamsim")
"""Names of the folders they are looked for in, beside the models of the pack."""


def find_optional_models(roots: Iterable[str | os.PathLike]) -> dict[str, Path]:
    """The folders named vggt and dreamsim below ``roots`` that hold a .safetensors file, the first found of each."""
    found: dict[str, Path] = {}
    for root in roots:
        for name in OPTIONAL:
            folder = Path(root).expanduser() / name
            if name not in found and _holds_weights(folder):
                found[name] = folder
    return found


def present_source(
    source: str | os.PathLike | Mapping[str, Tensor], what: str, advice: str
) -> Path | Mapping[str, Tensor]:
    """The source, once something is there to be read; raises InputError that ends in ``advice`` otherwise."""
    if isinstance(source, Mapping):
        return source
    path = Path(source).expanduser()
    if not path.is_file() and not _holds_weights(path):
        raise InputError(f"There are no {what} weights at {path}: {advice}.")
    return path


def _holds_weights(folder: Path) -> bool:
    return folder.is_dir() and any(path.name[:1] != "." for path in folder.glob("*.safetensors"))
