"""The rasteriser in Warp: one thread per face, the same arithmetic and the same 64-bit keys as ``raster_torch``.

Contraction of products and sums is switched off, so that every value is rounded as torch rounds it and both
rasterisers find the same face in every pixel. The kernel is compiled at its first launch on a machine and kept in
Warp's cache.
"""

from __future__ import annotations

import logging
from pathlib import Path

import torch
import warp as wp
from torch import Tensor

from .raster import SLACK, Scene
from .raster_torch import EMPTY, entries_of

wp.set_module_options({"fuse_fp": False, "fast_math": False, "enable_backward": False})


_SLACK = wp.constant(wp.float32(SLACK))


@wp.func
def _bounds(p0: float, p1: float, p2: float, whole: bool, limit: int):
    """First pixel and the one after the last whose centres may lie between three places in pixels."""
    first, stop = wp.int32(0), limit
    if not whole:
        size = float(limit)
        low = wp.min(wp.min(p0, p1), p2) - 0.5 - _SLACK
        high = wp.max(wp.max(p0, p1), p2) - 0.5 + _SLACK
        first = int(wp.ceil(wp.clamp(low, 0.0, size)))
        stop = int(wp.clamp(wp.floor(high) + 1.0, 0.0, size))
    return first, stop


@wp.kernel
def _fill(
    in_camera: wp.array2d(dtype=wp.vec3f),  # [B,V]
    faces: wp.array2d(dtype=wp.int64),  # [F,3]
    a: wp.array2d(dtype=float),  # [B,W]
    b: wp.array2d(dtype=float),  # [B,H]
    focal: wp.array2d(dtype=float),  # [2,B]
    centre: wp.array2d(dtype=float),  # [2,B]
    near: float,
    keys: wp.array3d(dtype=wp.int64),  # [B,H,W]
):
    n = wp.tid()
    count = faces.shape[0]
    view = n // count
    face = n - view * count
    p = in_camera[view, int(faces[face, 0])]
    q = in_camera[view, int(faces[face, 1])]
    r = in_camera[view, int(faces[face, 2])]
    if p[2] <= near and q[2] <= near and r[2] <= near:
        return
    fx, fy, cx, cy = focal[0, view], focal[1, view], centre[0, view], centre[1, view]
    xp, xq, xr = p[0] / p[2] * fx + cx, q[0] / q[2] * fx + cx, r[0] / r[2] * fx + cx
    yp, yq, yr = p[1] / p[2] * fy + cy, q[1] / q[2] * fy + cy, r[1] / r[2] * fy + cy
    # a face that reaches behind the camera has no finite box in the picture
    whole = p[2] <= near or q[2] <= near or r[2] <= near or not wp.isfinite(xp + xq + xr + yp + yq + yr)
    left, right = _bounds(xp, xq, xr, whole, keys.shape[2])
    top, bottom = _bounds(yp, yq, yr, whole, keys.shape[1])
    for row in range(top, bottom):
        slope = b[view, row]
        vp, vq, vr = p[1] - p[2] * slope, q[1] - q[2] * slope, r[1] - r[2] * slope
        for column in range(left, right):
            slant = a[view, column]
            up, uq, ur = p[0] - p[2] * slant, q[0] - q[2] * slant, r[0] - r[2] * slant
            area_p = uq * vr - ur * vq
            area_q = ur * vp - up * vr
            area_r = up * vq - uq * vp
            inside = area_p >= 0.0 and area_q >= 0.0 and area_r >= 0.0
            turned = area_p <= 0.0 and area_q <= 0.0 and area_r <= 0.0
            if inside or turned:
                depth = (area_p * p[2] + area_q * q[2] + area_r * r[2]) / (area_p + area_q + area_r)
                if depth > near:
                    bits = wp.int64(wp.cast(depth, wp.int32))
                    wp.atomic_min(keys, view, row, column, (bits << wp.int64(32)) | wp.int64(n))


def prepare(device: torch.device) -> str | None:
    """Start Warp and have the kernel ready for a torch device; why it cannot be used there, None if it can.

    The first time on a machine the kernel is compiled, which is said in the log because it takes seconds.
    """
    if device.type not in ("cpu", "cuda"):
        return f"it draws on cpu and cuda and the vertices are on {device}"
    with wp.ScopedLogLevel(wp.LOG_WARNING):
        wp.init()
        if device.type == "cuda" and not wp.is_cuda_available():
            return "it finds no CUDA driver new enough for this release of it; try: pip install 'warp-lang<1.18'"
        if not any(Path(wp.config.kernel_cache_dir).glob(f"wp_{__name__}*")):
            logging.getLogger(__name__).warning(
                "Compiling the rasteriser for Warp on %s: some seconds, once per machine.", device
            )
        wp.load_module(__name__, device=wp.device_from_torch(device))
    return None


def draw(scene: Scene) -> Tensor:
    """The entry [B*H*W] int64 that each pixel shows, -1 for none; float32, on a device that is prepared."""
    rays = scene.rays
    keys = torch.full((rays.views, rays.height, rays.width), EMPTY, dtype=torch.int64, device=rays.a.device)
    tables = (scene.faces, rays.a, rays.b, rays.focal, rays.centre)
    arrays = [wp.from_torch(table.contiguous()) for table in tables]
    points = wp.from_torch(scene.in_camera.contiguous(), dtype=wp.vec3f)
    device = wp.device_from_torch(keys.device)
    wp.launch(
        _fill,
        dim=rays.views * len(scene.faces),
        inputs=[points, *arrays, scene.near, wp.from_torch(keys)],
        device=device,
        stream=wp.stream_from_torch(keys.device) if device.is_cuda else None,
    )
    return entries_of(keys.view(-1))
