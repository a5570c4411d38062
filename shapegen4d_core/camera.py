"""The pinhole camera shared by rendering, registration and export (right-handed, y up, front +z)."""

from __future__ import annotations

import math
import os
from dataclasses import asdict, dataclass

import numpy as np

from .errors import InputError
from .storage import read_value, write_value


@dataclass(frozen=True)
class Camera:
    """A camera on a sphere around ``look_at``, looking down its own -z.

    Yaw 0 and pitch 0 put it on the +z axis; positive yaw moves it towards +x, positive pitch upwards.
    Angles are in degrees, ``radius`` and ``look_at`` in world units (half boxes), ``fov_degrees`` is the
    vertical field of view in (0, 180), ``width`` and ``height`` are in square pixels. Raises InputError.
    """

    yaw_degrees: float
    pitch_degrees: float
    radius: float
    look_at: tuple[float, float, float]
    fov_degrees: float
    width: int
    height: int

    def __post_init__(self) -> None:
        if len(self.look_at) != 3:
            raise InputError(f"Camera look_at has {len(self.look_at)} values, accepted is (x, y, z).")
        object.__setattr__(self, "look_at", tuple(float(value) for value in self.look_at))
        numbers = (self.yaw_degrees, self.pitch_degrees, self.radius, self.fov_degrees, *self.look_at)
        if not all(math.isfinite(number) for number in numbers):
            raise InputError(f"Camera has a value that is not finite: {self}.")
        if self.radius <= 0:
            raise InputError(f"Camera radius is {self.radius}, accepted is a positive distance.")
        if not 0 < self.fov_degrees < 180:
            raise InputError(f"Camera fov_degrees is {self.fov_degrees}, accepted is above 0 and below 180.")
        if self.width < 1 or self.height < 1:
            raise InputError(f"Camera size is {self.width} x {self.height}, accepted is at least 1 x 1.")

    def axes(self) -> np.ndarray:
        """Rows right, up and back of the camera in world coordinates, float64 [3,3]; no singular pitch."""
        yaw, pitch = math.radians(self.yaw_degrees), math.radians(self.pitch_degrees)
        right = np.array([math.cos(yaw), 0.0, -math.sin(yaw)])
        back = np.array(
            [math.cos(pitch) * math.sin(yaw), math.sin(pitch), math.cos(pitch) * math.cos(yaw)]
        )
        return np.stack([right, np.cross(back, right), back])

    def eye(self) -> np.ndarray:
        """Position of the camera in the world, float64 [3]."""
        return np.asarray(self.look_at) + self.radius * self.axes()[2]

    def view_matrix(self) -> np.ndarray:
        """World to camera, float64 [4,4], for column vectors (``view @ [x, y, z, 1]``)."""
        view = np.eye(4)
        view[:3, :3] = self.axes()
        view[:3, 3] = -view[:3, :3] @ self.eye()
        return view

    def projection_matrix(self, near: float, far: float) -> np.ndarray:
        """Camera to OpenGL clip space (depth -1 at near, 1 at far), float64 [4,4]; raises InputError."""
        if not 0 < near < far < math.inf:
            raise InputError(f"Camera near is {near} and far {far}, accepted is 0 < near < far.")
        scale = 1.0 / math.tan(math.radians(self.fov_degrees) / 2)
        projection = np.zeros((4, 4))
        projection[0, 0] = scale * self.height / self.width
        projection[1, 1] = scale
        projection[2, 2] = (near + far) / (near - far)
        projection[2, 3] = 2 * near * far / (near - far)
        projection[3, 2] = -1.0
        return projection

    @property
    def focal_pixels(self) -> float:
        """Focal length in pixels (the same along both axes)."""
        return self.height / (2 * math.tan(math.radians(self.fov_degrees) / 2))

    def save(self, path: str | os.PathLike) -> None:
        """Write the camera to one safetensors file (header only)."""
        write_value(path, "Camera", asdict(self), {})

    @classmethod
    def load(cls, path: str | os.PathLike) -> Camera:
        """Read a camera written by :meth:`save`; raises InputError."""
        header, _ = read_value(path, "Camera")
        try:
            return cls(**header)
        except (TypeError, InputError) as error:
            raise InputError(f"{path} does not describe a Camera: {error}") from error
