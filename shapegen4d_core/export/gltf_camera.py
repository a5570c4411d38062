"""Cameras in a glTF document: one that stands still, or one that moves from frame to frame (glTF 2.0, 3.10)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ..camera import Camera
from ..errors import InputError
from .gltf_document import Document
from .key_times import key_times
from .quaternions import quaternions, shorter_ways

_NEAR = 0.01  # of the smallest radius; the far plane is left open


def add_camera(
    document: Document,
    camera: Camera | Sequence[Camera],
    frame_count: int,
    played: Sequence[int],
    fps: float,
    interpolation: str,
) -> int:
    """Add a camera node to the scene and return it: one Camera, or ``frame_count`` of them, keyed as ``played``.

    Raises InputError for another count, and for a field of view or a picture size that changes, which glTF lacks.
    """
    cameras = check_cameras(camera, frame_count)
    first = cameras[0]
    lens = {
        "yfov": math.radians(first.fov_degrees),
        "aspectRatio": first.width / first.height,
        "znear": _NEAR * min(entry.radius for entry in cameras),
    }
    eyes = np.array([entry.eye() for entry in cameras])
    turns = quaternions(np.array([entry.axes().T for entry in cameras]))
    index = document.add("cameras", {"name": "camera", "type": "perspective", "perspective": lens})
    pose = {"translation": eyes[0].tolist(), "rotation": turns[0].tolist()}
    node = document.add("nodes", {"name": "camera", "camera": index, **pose})
    document.roots.append(node)
    if len(cameras) > 1:
        times = document.spool.key_times(key_times(range(len(played)), fps))
        shown = list(played)
        for path, values in (("translation", eyes[shown]), ("rotation", shorter_ways(turns[shown]))):
            stored = document.spool.key_values(values.astype(np.float32))
            document.animate(node, path, times, stored, interpolation)
    return node


def check_cameras(camera: Camera | Sequence[Camera], frame_count: int) -> list[Camera]:
    """One Camera, or one per frame, as a list; raises InputError as :func:`add_camera`."""
    if isinstance(camera, Camera):
        return [camera]
    cameras = list(camera)
    if len(cameras) != frame_count or not all(isinstance(entry, Camera) for entry in cameras):
        raise InputError(
            f"camera has {len(cameras)} entries for {frame_count} frames; give one Camera, or one for every frame."
        )
    lenses = {(entry.fov_degrees, entry.width / entry.height) for entry in cameras}
    if len(lenses) > 1:
        raise InputError(
            "The field of view or the picture size of camera changes from frame to frame, which a GLB cannot hold; "
            "give cameras with one fov_degrees, width and height, or write USD."
        )
    return cameras
