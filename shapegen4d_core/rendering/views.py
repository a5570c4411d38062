"""From the project's camera (y up, looking down -z) to the OpenCV form the rasteriser takes."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from ..errors import InputError
from ..sequence import Camera, Clip, MeshSequence

_YAWS = 24  # directions from which a camera for all sides is tried


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


def clip_camera(camera: Camera, clip: Clip) -> tuple[Tensor, Tensor, Tensor]:
    """K [3,3], R [3,3] and t [3], float64, of a camera that films the plate, for the pixels of ``clip.frames``.

    The camera looks at the whole source picture with its principal point in the middle; a cropped clip shows a window
    of it, so its own principal point lies off its middle. The camera's ``width`` and ``height`` matter by their ratio
    only. Raises InputError when that is not the source's, or when the clip does not say how large its source was.
    """
    height, width = clip.frames.shape[1:3]
    plate = (height, width) if clip.crop is None else clip.source_size
    if plate is None:
        raise InputError(f"The clip {clip.name!r} has a crop but no source_size; load it again from the video.")
    if abs(camera.width * plate[0] - camera.height * plate[1]) > sum(plate) / 2:  # half a pixel
        raise InputError(
            f"The camera's picture is {camera.width} x {camera.height} pixels and the clip's source {plate[1]} x "
            f"{plate[0]}; give a camera of that shape."
        )
    intrinsics, rotation, translation = opencv_camera(sized_camera(camera, plate))
    x0, y0, side = clip.crop or (0.0, 0.0, 0.0)
    across, down = (width / side, height / side) if clip.crop else (1.0, 1.0)
    window = torch.tensor([[across, 0, -x0 * across], [0, down, -y0 * down], [0, 0, 1]], dtype=torch.float64)
    return window @ intrinsics, rotation, translation


def framing_camera(
    sequence: MeshSequence,
    size: int | tuple[int, int] = 512,
    yaw_degrees: float = 0.0,
    pitch_degrees: float = 10.0,
    fov_degrees: float = 30.0,
    all_around: bool = False,
    margin: float = 1.08,
) -> Camera:
    """The nearest camera that sees all frames of a sequence whole, looking at the middle of their box.

    ``all_around`` makes the distance serve for every yaw, as a turntable needs. ``margin`` is the room around the
    object, 1 for none. ``size`` is (height, width) in pixels or one number. Raises InputError when all frames are
    empty.
    """
    height, width = (size, size) if isinstance(size, int) else size
    middle = sequence.bounds().astype(np.float64).mean(axis=0)
    camera = Camera(yaw_degrees, pitch_degrees, 1.0, tuple(middle.tolist()), fov_degrees, width, height)
    slope = math.tan(math.radians(fov_degrees) / 2) / margin
    slopes = np.array([slope * width / height, slope])
    points = np.concatenate([frame.astype(np.float64) for frame in sequence.vertices]) - middle
    radius = 1e-3
    for step in range(_YAWS if all_around else 1):
        turned = points @ replace(camera, yaw_degrees=yaw_degrees + 360 * step / _YAWS).axes().T
        radius = max(radius, float((np.abs(turned[:, :2]) / slopes + turned[:, 2:]).max()))
    return replace(camera, radius=radius)
