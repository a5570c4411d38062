"""Files that other programs read: animated GLB."""

from __future__ import annotations

from .glb import uses_morph_targets, write_glb

__all__ = ["uses_morph_targets", "write_glb"]
