"""Files that other programs read: GLB, USD, folders of meshes and point caches."""

from __future__ import annotations

from .formats import FORMATS, SUFFIXES, Format, check_destination, format_of
from .glb import uses_morph_targets, write_glb
from .write import write_sequence

__all__ = [
    "FORMATS",
    "SUFFIXES",
    "Format",
    "check_destination",
    "format_of",
    "uses_morph_targets",
    "write_glb",
    "write_sequence",
]
