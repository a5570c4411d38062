"""Networks that are used when their weights are on the disk (VGGT, DreamSim); nothing is ever downloaded."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from ..errors import InputError


def present_source(
    source: str | os.PathLike | Mapping[str, Tensor], what: str, advice: str
) -> Path | Mapping[str, Tensor]:
    """The source, once something is there to be read; raises InputError that ends in ``advice`` otherwise."""
    if isinstance(source, Mapping):
        return source
    path = Path(source).expanduser()
    if path.is_file() or (path.is_dir() and any(path.glob("*.safetensors*"))):
        return path
    raise InputError(f"There are no {what} weights at {path}: {advice}.")
