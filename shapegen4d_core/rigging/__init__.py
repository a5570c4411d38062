"""Sequences of one topology as skins: joints that move rigidly and the share each has in every vertex."""

from __future__ import annotations

from .fit import fit_rig
from .report import RigReport
from .rig import Rig
from .settings import RigSettings

__all__ = ["Rig", "RigReport", "RigSettings", "fit_rig"]
