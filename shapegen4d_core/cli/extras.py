"""Verbs that need an optional extra say which one is missing."""

from __future__ import annotations

from types import ModuleType

from ..optional_packages import needed


def learning() -> ModuleType:
    """The module of training stages; the procedural data needs numba, an optional extra."""
    with needed("Procedural shapes need", "numba"):
        from ..training import stages
    return stages
