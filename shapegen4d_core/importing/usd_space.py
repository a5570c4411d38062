"""From the axes, unit and clock of a stage to ours: metres, y up, frames at equal times."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import InputError
from ..usd_library import usd_module
from .timing import FRAME_LIMIT

_ROUNDING = 1e-6  # of a frame, by which the end of the range may be short


@dataclass(frozen=True)
class Space:
    """Whether the stage has z up, and metres per unit."""

    z_up: bool
    metres_per_unit: float

    @classmethod
    def of(cls, stage: Any) -> Space:
        """The space of ``stage``: without a unit of its own, centimetres, as OpenUSD has it. Raises InputError."""
        usd_geom = usd_module("UsdGeom")
        unit = float(usd_geom.GetStageMetersPerUnit(stage))
        if not (math.isfinite(unit) and unit > 0):
            raise InputError(f"its metersPerUnit is {unit:g}, accepted is a positive number")
        return cls(usd_geom.GetStageUpAxis(stage) == "Z", unit)

    def placed(self, points: np.ndarray, matrix: np.ndarray) -> np.ndarray:
        """Points [V,3] float32 under ``matrix`` [4,4] (for row vectors) in our world; raises InputError."""
        if not np.array_equal(matrix, np.eye(4)):
            points = points @ matrix[:3, :3] + matrix[3, :3]
        points = self.directions(points)
        with np.errstate(all="ignore"):
            if self.metres_per_unit != 1:
                points = points.astype(np.float64) * self.metres_per_unit
            points = points.astype(np.float32)
        if not np.isfinite(points).all():
            raise InputError("its points are too large or not finite")
        return points

    def directions(self, vectors: np.ndarray) -> np.ndarray:
        """Vectors [V,3] in our axes."""
        return np.stack([vectors[:, 0], vectors[:, 2], -vectors[:, 1]], axis=1) if self.z_up else vectors


def frame_times(stage: Any, moving: list[Any], fps: float | None) -> tuple[list[Any], float]:
    """Time codes of the frames, and frames per second; one frame when no attribute is ``moving``.

    The range is the stage's own, else that of the samples; both ends are frames. Raises InputError.
    """
    per_second = float(stage.GetTimeCodesPerSecond())
    own = float(stage.GetFramesPerSecond()) if stage.HasAuthoredMetadata("framesPerSecond") else per_second
    rate = own if fps is None else fps
    if not all(math.isfinite(value) and value > 0 for value in (per_second, rate)):
        raise InputError(f"it has {per_second:g} time codes and {rate:g} frames per second, accepted is above 0")
    start, end = float(stage.GetStartTimeCode()), float(stage.GetEndTimeCode())
    if not moving:
        return [start if stage.HasAuthoredTimeCodeRange() else usd_module("Usd").TimeCode.EarliestTime()], rate
    if not stage.HasAuthoredTimeCodeRange():
        samples = [time for attribute in moving for time in attribute.GetTimeSamples()]
        start, end = min(samples), max(samples)
    step = per_second / rate
    if not (math.isfinite(start) and math.isfinite(end) and end >= start):
        raise InputError(f"its time codes go from {start:g} to {end:g}")
    frames = (end - start) / step + 1 + _ROUNDING
    if not frames < FRAME_LIMIT + 1:
        raise InputError(f"its time codes {start:g} to {end:g} make over {FRAME_LIMIT} frames at {rate:g} per second")
    return [start + index * step for index in range(int(frames))], rate
