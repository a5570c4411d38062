"""Pictures of an asset: its camera, the window around the whole motion, and the traced frames."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .parts import rotation
from .render import trace

if TYPE_CHECKING:
    from .procedural import Asset


def camera_rays(asset: Asset, window: tuple[float, float, float], size: int) -> tuple[np.ndarray, np.ndarray, float]:
    """Origin [3], unit rays [size,size,3] in object space, and one pixel's angle, for a square picture window.

    ``window`` is (left, top, side) on the plane at distance 1 in front of the camera, y downwards.
    """
    eye, right, up, forward = _camera(asset)
    left, top, side = window
    steps = (np.arange(size) + 0.5) / size * side
    x, y = left + steps[None, :, None], top + steps[:, None, None]
    rays = forward + x * right - y * up
    rays /= np.linalg.norm(rays, axis=-1, keepdims=True)
    turn = asset.turn if asset.settings.frame == "view" else np.eye(3)
    origin = (eye / asset.zoom + asset.centre) @ turn
    return origin, np.ascontiguousarray(rays @ turn), side / size


def _camera(asset: Asset):
    look, s = asset.look, asset.settings
    azimuth = 0.0 if s.frame == "view" else look.azimuth_degrees
    frame = rotation("y", azimuth) @ rotation("x", -look.elevation_degrees)
    distance = 1.75 / np.sin(np.radians(s.fov_degrees / 2))
    return frame[:, 2] * distance, frame[:, 0], frame[:, 1], -frame[:, 2]


def picture_window(asset: Asset, surfaces: list[np.ndarray]) -> tuple[float, float, float]:
    """The square window (left, top, side) in which the union of all frames fills ``foreground_ratio``."""
    eye, right, up, forward = _camera(asset)
    rel = np.concatenate(surfaces) - eye
    depth = rel @ forward
    u, v = rel @ right / depth, -(rel @ up) / depth
    side = max(u.max() - u.min(), v.max() - v.min()) * 1.01 / asset.settings.foreground_ratio
    return (u.max() + u.min() - side) / 2, (v.max() + v.min() - side) / 2, side


def render_clip(asset: Asset, window: tuple[float, float, float], size: int | None = None) -> np.ndarray:
    """Straight-alpha RGBA frames uint8 [T,size,size,4]."""
    size = size or asset.settings.image_size
    origin, rays, pixel = camera_rays(asset, window, size)
    look = asset.look
    turn = asset.turn if asset.settings.frame == "view" else rotation("y", -look.azimuth_degrees)
    light = look.light @ turn
    span = np.sqrt(3.0) / asset.zoom
    middle = np.linalg.norm(origin - asset.centre @ asset.turn)
    frames = [
        trace(
            *pose[:5],
            asset.colour,
            *pose[5:],
            asset.slope,
            origin,
            rays,
            max(middle - span, 0.1),
            middle + span,
            pixel,
            look.palette,
            look.pattern,
            look.pattern_scale,
            light,
            look.ambient,
        )
        for pose in asset.poses
    ]
    return np.round(np.stack(frames) * 255).astype(np.uint8)
