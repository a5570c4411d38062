"""Mesh sequences from files: ours in every format, and animations of others evaluated to vertices per frame."""

from __future__ import annotations

from .animated_mesh import AnimatedMesh, Material, to_sequence
from .load import load_animated, load_sequence
from .read import read_sequence

__all__ = ["AnimatedMesh", "Material", "load_animated", "load_sequence", "read_sequence", "to_sequence"]
