"""The camera as the host's 3D nodes take it: y up, looking down -z, vertical field of view in degrees."""

from __future__ import annotations

from typing import Any


def load_3d_camera(camera: Any) -> dict[str, Any]:
    """A LOAD3D_CAMERA value: position, target, zoom, cameraType, and quaternion, fov, aspect, near and far.

    The host centres its viewer on the target, so the whole picture of the plate is shown, not the clip's crop.
    """
    from scipy.spatial.transform import Rotation

    turn = Rotation.from_matrix(camera.axes().T).as_quat()
    return {
        "position": _named(camera.eye()),
        "target": _named(camera.look_at),
        "zoom": 1,
        "cameraType": "perspective",
        "quaternion": {name: float(value) for name, value in zip("xyzw", turn)},
        "fov": float(camera.fov_degrees),
        "aspect": camera.width / camera.height,
        "near": camera.radius / 100,
        "far": camera.radius * 100,
    }


def _named(vector: Any) -> dict[str, float]:
    return {name: float(value) for name, value in zip("xyz", vector)}
