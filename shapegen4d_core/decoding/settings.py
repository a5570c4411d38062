"""How latents become meshes: one frozen dataclass, checked when made."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

from ..errors import InputError

METHODS = ("coarse-to-fine", "dense", "published")
MIN_RESOLUTION = 8
# Values above this are taken as saturated: a network rarely reaches exactly 1 (spec 6.1).
SATURATED = 0.95


@dataclass(frozen=True)
class DecodeSettings:
    """Settings of :func:`shapegen4d_core.decoding.decode_sequence`.

    resolution: grid cells per axis, at least 8.
    bounds: half side of the box that is sampled, in half boxes.
    level: field value of the surface, in units of the truncation; inside is above it.
    method: "coarse-to-fine"; "dense" (every grid vertex, the reference); "published" (the coarse-to-fine grid
        and index/(R+1) coordinates of the Step1X-3D release, for comparisons only).
    truncation: distance in half boxes at which the field saturates; None takes the model's.
    chunk: points per call of the field; None chooses from free memory.
    floater_ratio: parts whose area is below this fraction of the largest part's are removed; 0 keeps all,
        1 keeps only the largest. The default removes specks below about 7 % of the largest part's size.
    max_faces: decimate each frame to at most this many faces; None does not.
    """

    resolution: int = 256
    bounds: float = 1.05
    level: float = 0.0
    method: str = "coarse-to-fine"
    truncation: float | None = None
    chunk: int | None = None
    floater_ratio: float = 0.005
    max_faces: int | None = None

    def __post_init__(self) -> None:
        _whole("resolution", self.resolution, MIN_RESOLUTION)
        _between("bounds", self.bounds, 0, 100, "half boxes")
        _between("level", self.level, -SATURATED, SATURATED, "units of the truncation")
        if self.method not in METHODS:
            raise InputError(f"Decode setting method is {self.method!r}; accepted are {', '.join(METHODS)}.")
        if self.truncation is not None:
            _between("truncation", self.truncation, 0, 100, "half boxes")
        if self.chunk is not None:
            _whole("chunk", self.chunk, 1)
        ratio = self.floater_ratio
        if not isinstance(ratio, (int, float)) or not 0 <= ratio <= 1:
            raise InputError(f"Decode setting floater_ratio is {ratio!r}; accepted is 0 to 1.")
        if self.max_faces is not None:
            _whole("max_faces", self.max_faces, 4)

    def to_dict(self) -> dict[str, Any]:
        """JSON-able fields."""
        return dataclasses.asdict(self)


def _whole(name: str, value: Any, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise InputError(f"Decode setting {name} is {value!r}; accepted is a whole number from {least}.")


def _between(name: str, value: Any, low: float, high: float, unit: str) -> None:
    if not isinstance(value, (int, float)) or not math.isfinite(value) or not low < value < high:
        raise InputError(f"Decode setting {name} is {value!r}; accepted is between {low} and {high} {unit}.")
