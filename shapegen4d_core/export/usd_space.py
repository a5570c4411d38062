"""Axes and unit of a stage: how our lengths (metres, right-handed, y up) are written in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import InputError
from ..setting_checks import check_choice, is_finite

_TO_Z_UP = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])  # (x, y, z) becomes (x, -z, y)


@dataclass(frozen=True)
class StageSpace:
    """``up_axis`` "Y" or "Z" and the length of one unit in metres; raises InputError.

    With Z up the front, our +z, looks along -y. The object keeps its size: in centimetres (0.01) its coordinates are
    a hundred times as large.
    """

    up_axis: str = "Y"
    metres_per_unit: float = 1.0

    def __post_init__(self) -> None:
        check_choice("up_axis", self.up_axis, ("Y", "Z"))
        if not is_finite(self.metres_per_unit) or not 1e-9 <= self.metres_per_unit <= 1e9:
            given = self.metres_per_unit
            raise InputError(f"metres_per_unit is {given!r}; accepted is 1e-9 to 1e9 (0.01 for centimetres).")

    def rotation(self) -> np.ndarray:
        """World of the sequence to world of the stage, float64 [3,3], for column vectors."""
        return _TO_Z_UP if self.up_axis == "Z" else np.eye(3)

    def directions(self, vectors: np.ndarray) -> np.ndarray:
        """Directions [V,3] float32 in the axes of the stage, exactly (coordinates change places and signs)."""
        if self.up_axis == "Y":
            return vectors
        return np.stack([vectors[:, 0], -vectors[:, 2], vectors[:, 1]], axis=1)

    def points(self, points: np.ndarray) -> np.ndarray:
        """Points [V,3] float32 in the axes and unit of the stage; raises InputError beyond the range of float32."""
        turned = self.directions(points)
        if self.metres_per_unit == 1:
            return turned
        with np.errstate(over="ignore"):
            scaled = (turned.astype(np.float64) / self.metres_per_unit).astype(np.float32)
        if not np.isfinite(scaled).all():
            raise InputError(f"metres_per_unit {self.metres_per_unit:g} takes points beyond float32; use a larger one.")
        return scaled

    def length(self, metres: float) -> float:
        """A length in units of the stage."""
        return metres / self.metres_per_unit

    def describe(self, stage: Any, usd_geom: Any) -> None:
        """Write both into the metadata of ``stage``."""
        usd_geom.SetStageUpAxis(stage, usd_geom.Tokens.z if self.up_axis == "Z" else usd_geom.Tokens.y)
        usd_geom.SetStageMetersPerUnit(stage, float(self.metres_per_unit))
