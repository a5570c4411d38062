"""Verbs that need an optional extra say which one is missing."""

from __future__ import annotations

from types import ModuleType

from ..errors import InputError


def learning() -> ModuleType:
    """The module of training stages; the procedural data needs numba, an optional extra."""
    try:
        from ..training import stages
    except ImportError as error:
        if error.name != "numba":
            raise
        raise InputError("Procedural shapes need numba; install it with: pip install numba.") from error
    return stages
