"""Animated files of others: glTF 2.0 evaluated to vertices per frame."""

from __future__ import annotations

from .animated_mesh import AnimatedMesh, Material, to_sequence

__all__ = ["AnimatedMesh", "Material", "to_sequence"]
