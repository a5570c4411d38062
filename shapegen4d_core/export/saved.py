"""The sequence as it is, in our own safetensors file, under the signature of the other writers."""

from __future__ import annotations

import os
from pathlib import Path

from ..progress import Check, Progress, tick
from ..sequence import MeshSequence


def write_saved(
    sequence: MeshSequence,
    path: str | os.PathLike,
    *,
    progress: Progress | None = None,
    check: Check | None = None,
) -> Path:
    """Write every array and setting of ``sequence`` to a .safetensors file; raises InputError for a bad path."""
    tick(progress, check, 0, 1)
    sequence.save(path, check)
    tick(progress, check, 1, 1)
    return Path(path)
