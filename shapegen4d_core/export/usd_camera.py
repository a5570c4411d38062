"""The camera of a stage (UsdGeomCamera): still, or keyed once per frame."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..camera import Camera
from ..errors import InputError
from ..usd_library import usd_module
from .usd_space import StageSpace

_APERTURE = 0.024  # metres, the height of a picture on 35 mm film; only its ratio to the focal length is seen
_NEAR, _FAR = 0.01, 100.0  # clipping, in radii


def cameras_of(camera: Camera | Sequence[Camera] | None, frame_count: int) -> tuple[Camera, ...]:
    """No camera, one for all frames, or one per frame; raises InputError for another number or other values."""
    cameras = (camera,) if isinstance(camera, Camera) else tuple(camera or ())
    if not all(isinstance(entry, Camera) for entry in cameras):
        raise InputError("camera holds something else than cameras; give one Camera, or one per frame.")
    if len(cameras) not in (0, 1, frame_count):
        raise InputError(f"camera has {len(cameras)} entries for {frame_count} frames; give one, or one per frame.")
    return cameras


class CameraPrim:
    """Writes ``cameras``, one or one per frame, into a new camera prim at ``path`` of ``stage``."""

    def __init__(self, stage: Any, path: str, cameras: tuple[Camera, ...], space: StageSpace) -> None:
        self._cameras, self._space = cameras, space
        self._prim = usd_module("UsdGeom").Camera.Define(stage, path)
        self._place = self._prim.AddTransformOp()

    def write_frame(self, frame: int) -> None:
        """Write the samples of one frame, if there is one camera per frame."""
        if len(self._cameras) > 1:
            self._write(self._cameras[frame], float(frame))

    def write_constants(self) -> None:
        """Write the first camera for all times without samples."""
        self._write(self._cameras[0], usd_module("Usd").TimeCode.Default())

    def _write(self, camera: Camera, time: Any) -> None:
        gf, prim = usd_module("Gf"), self._prim
        aperture = 10 * self._space.length(_APERTURE)  # USD has it in tenths of a unit
        focal = aperture / 2 / math.tan(math.radians(camera.fov_degrees) / 2)
        self._place.Set(gf.Matrix4d(*self._matrix(camera).reshape(-1).tolist()), time)
        prim.CreateProjectionAttr().Set("perspective")
        prim.CreateVerticalApertureAttr().Set(aperture, time)
        prim.CreateHorizontalApertureAttr().Set(aperture * camera.width / camera.height, time)
        prim.CreateFocalLengthAttr().Set(focal, time)
        near, far = (self._space.length(camera.radius * factor) for factor in (_NEAR, _FAR))
        prim.CreateClippingRangeAttr().Set(gf.Vec2f(near, far), time)

    def _matrix(self, camera: Camera) -> np.ndarray:
        """Camera to stage [4,4] for row vectors, as USD has it."""
        turn, matrix = self._space.rotation(), np.eye(4)
        matrix[:3, :3] = camera.axes() @ turn.T
        matrix[3, :3] = self._space.length(1.0) * (turn @ camera.eye())
        return matrix
