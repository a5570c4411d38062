"""Writes a mesh sequence in the format its file name asks for."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ..progress import Check, Progress
from ..sequence import MeshSequence
from .formats import check_options, format_of

_WELCOME = ("extras", "unlit")  # left out where a format has no place for them


def write_sequence(
    sequence: MeshSequence,
    path: str | os.PathLike,
    *,
    progress: Progress | None = None,
    check: Check | None = None,
    **options: Any,
) -> Path:
    """Write ``sequence`` to ``path``, whose suffix chooses the format, and return the path.

    ``options`` are the keywords of that format's writer (see :data:`.formats.FORMATS`); ``extras`` and ``unlit`` are
    left out where they have no place, any other that the format lacks is refused, and ``rig`` (a RigSettings, or a Rig
    fitted before) asks for a skinned GLB. GLB files move smoothly where the topology allows it, unless
    ``interpolation`` says otherwise. Files appear whole or not at all. Raises InputError.
    """
    options = {name: value for name, value in options.items() if not (name == "rig" and value is None)}
    entry = format_of(path, rig="rig" in options)
    for name in _WELCOME:
        if name in options and (name not in entry.options or (name == "unlit" and sequence.texture is None)):
            del options[name]
    check_options(entry, path, options)
    if "interpolation" in entry.options:
        options.setdefault("interpolation", "auto")
    return Path(entry.load()(sequence, path, **options, progress=progress, check=check))
