"""From the project's camera (y up, looking down -z) to the OpenCV form the rasteriser takes."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from ..errors import InputError
from ..sequence import Camera


def opencv_camera(camera: Camera) -> tuple[Tensor, Tensor, Tensor]:
    """K [3,3] in pixels, R [3,3] and t [3] (x right, y down, z forward) of a camera, float64.

    The principal point is the middle of the picture.
    """
    view = torch.from_numpy(camera.view_matrix())
    turn = torch.tensor([1.0, -1.0, -1.0], dtype=torch.float64)
    focal = camera.focal_pixels
    intrinsics = torch.tensor(
        [[focal, 0.0, camera.width / 2], [0.0, focal, camera.height / 2], [0.0, 0.0, 1.0]], dtype=torch.float64
    )
    return intrinsics, view[:3, :3] * turn[:, None], view[:3, 3] * turn


def sized_camera(camera: Camera, size: int | tuple[int, int] | None) -> Camera:
    """The camera with a picture of ``size`` pixels: (height, width), one number for a square, None for its own.

    The vertical field of view stays. Raises InputError for a size below one pixel.
    """
    if size is None:
        return camera
    height, width = (size, size) if isinstance(size, int) else size
    if min(height, width) < 1:
        raise InputError(f"size is {height} x {width} pixels, accepted is at least 1 x 1.")
    return replace(camera, height=height, width=width)
