"""Optional weights on the user's disk: safetensors files below ``models/shapegen4d`` whose path names what they are."""

from __future__ import annotations

import os
from pathlib import Path

from . import folders

NONE = "none"
Kinds = tuple[str, ...]


def choices(word: str, kinds: Kinds = (folders.KIND,)) -> list[str]:
    """What the list of a node offers: none, then every .safetensors file with ``word``, such as vggt, in its path.

    kinds: of the host's model folders that are looked at, in this order.
    """
    return [NONE, *_places(word, kinds)]


def chosen(word: str, name: str, kinds: Kinds = (folders.KIND,)) -> Path | None:
    """The file of a name of :func:`choices`; ValueError for one that is not there."""
    if name == NONE:
        return None
    places = _places(word, kinds)
    path = folders.weight_path(*places[name]) if name in places else None
    if path is None:
        where = " or ".join(f"models/{kind}" for kind in kinds)
        raise ValueError(f"There is no {name!r} under {where}; choose one of {', '.join([NONE, *places])}.")
    return path


def _places(word: str, kinds: Kinds) -> dict[str, tuple[str, str]]:
    """Name shown -> kind and name as the host knows them."""
    found: dict[str, tuple[str, str]] = {}
    for kind in kinds:
        for name in folders.weight_names(kind):
            shown = name.replace(os.sep, "/")
            if word in shown.lower():
                found.setdefault(shown, (kind, name))
    return found
