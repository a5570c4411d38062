"""Names of the assets in a folder of files and folders, one per asset."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ..errors import InputError


def by_name(paths: Iterable[Path]) -> dict[str, Path]:
    """Paths by name of the asset: a folder's whole name, a file's without suffix; raises InputError for two alike."""
    found: dict[str, Path] = {}
    for path in paths:
        name = path.name if path.is_dir() else path.stem
        if name in found:
            raise InputError(f"{path.parent} holds both {found[name].name} and {path.name}; keep one of them.")
        found[name] = path
    return found
