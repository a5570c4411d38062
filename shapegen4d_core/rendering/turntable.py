"""A camera that goes around the object once, or several times."""

from __future__ import annotations

from dataclasses import replace

from ..errors import InputError
from ..sequence import Camera


def turntable(camera: Camera, count: int, turns: float = 1.0) -> list[Camera]:
    """``count`` cameras at equal steps of yaw from ``camera`` on, over ``turns`` turns; negative ones go the other way.

    The one after the last would be where the first is, so that whole turns loop. Raises InputError.
    """
    if count < 1:
        raise InputError(f"A turntable has {count} pictures, accepted is at least 1.")
    step = 360.0 * turns / count
    return [replace(camera, yaw_degrees=camera.yaw_degrees + step * number) for number in range(count)]
