"""Animated files of others: glTF 2.0 evaluated to vertices per frame."""

from __future__ import annotations

from .animated_mesh import AnimatedMesh, Material, to_sequence
from .load import load_animated, load_sequence

__all__ = ["AnimatedMesh", "Material", "load_animated", "load_sequence", "to_sequence"]
