"""Contact sheets of results: the input's frames above the shapes of truth and methods, several clips side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from PIL import Image
from scipy.spatial import cKDTree

from ..rendering import contact_sheet, render_sequence
from ..sequence import Camera, MeshSequence

SIZE = 128
FRAMES = 4
CLIPS_PER_BLOCK = 3
RADIUS, FIELD_OF_VIEW = 5.8, 35.0  # the camera of the procedural pictures
COVERING = 2.4  # radius of discs that cover 99 % of a surface, over the mean distance of neighbours
FILLED = 0.92  # share of the picture that the points fill


def fitted_camera(points: np.ndarray, elevation: float = 10.0, azimuth: float = 0.0, size: int = SIZE) -> Camera:
    """A camera from a direction, degrees, that looks at the box of points [P,3] and just shows all of them."""
    middle = (points.min(axis=0) + points.max(axis=0)) / 2
    camera = Camera(azimuth, elevation, RADIUS, tuple(middle), FIELD_OF_VIEW, size, size)
    seen = (points - camera.eye()) @ camera.axes().T
    reach = np.abs(seen[:, :2] / -seen[:, 2:]).max()
    return replace(camera, fov_degrees=float(2 * np.degrees(np.arctan(reach / FILLED))))


def render_frames(meshes: Sequence[tuple[np.ndarray, np.ndarray]], camera: Camera) -> np.ndarray:
    """Pictures [T,H,W,4] of meshes (vertices, faces); empty ones are transparent."""
    vertices = tuple(np.ascontiguousarray(mesh[0], dtype=np.float32) for mesh in meshes)
    faces = tuple(np.ascontiguousarray(mesh[1], dtype=np.int32) for mesh in meshes)
    return render_sequence(MeshSequence(vertices, faces, 8.0), camera).numpy()


def render_points(points: Sequence[np.ndarray], camera: Camera) -> np.ndarray:
    """Pictures [T,H,W,4] of oriented points [P,6] in [-1,1]^3 as little discs, lit like meshes."""
    return render_frames([_discs(cloud) for cloud in points], camera)


def _discs(cloud: np.ndarray, corners: int = 6) -> tuple[np.ndarray, np.ndarray]:
    """A mesh of one small polygon per point, just large enough that hardly a gap is left between random points."""
    gaps, _ = cKDTree(cloud[:, :3]).query(cloud[:, :3], k=2)
    radius = COVERING * gaps[:, 1].mean()
    centre, normal = cloud[:, :3].astype(np.float64), cloud[:, 3:].astype(np.float64)
    helper = np.where(np.abs(normal[:, :1]) < 0.7, [[1.0, 0.0, 0.0]], [[0.0, 1.0, 0.0]])
    first = np.cross(normal, helper)
    first /= np.linalg.norm(first, axis=1, keepdims=True).clip(1e-9)
    second = np.cross(normal, first)
    angles = np.arange(corners) * (2 * np.pi / corners)
    rim = centre[:, None] + radius * (
        np.cos(angles)[None, :, None] * first[:, None] + np.sin(angles)[None, :, None] * second[:, None]
    )
    fan = np.array([[0, k, k + 1] for k in range(1, corners - 1)])
    faces = (np.arange(len(cloud))[:, None, None] * corners + fan[None]).reshape(-1, 3)
    return rim.reshape(-1, 3), faces


def spread_frames(count: int, wanted: int = FRAMES) -> list[int]:
    """``wanted`` frame numbers spread over ``count`` frames, first and last included."""
    return [int(round(at)) for at in np.linspace(0, count - 1, min(wanted, count))]


def clip_sheet(clips: Sequence[Mapping[str, np.ndarray]], size: int = SIZE) -> np.ndarray:
    """One picture [H,W,3] uint8 of several clips: rows by name, each [T,H,W,4]; the same names and T in all clips.

    Frames of one clip stand side by side, then the next clip; more than CLIPS_PER_BLOCK clips continue below.
    """
    names = list(clips[0])
    rows = [np.concatenate([_sized(clip[name], size) for clip in clips]) for name in names]
    frames = len(clips[0][names[0]])
    return contact_sheet(rows, labels=names, columns=frames * min(CLIPS_PER_BLOCK, len(clips)))


def _sized(frames: np.ndarray, size: int) -> np.ndarray:
    """Frames [T,H,W,4] as float 0..1, resized to squares of ``size``."""
    values = frames if frames.dtype == np.uint8 else np.round(frames * 255).clip(0, 255).astype(np.uint8)
    if values.shape[1:3] == (size, size):
        return values
    return np.stack([np.asarray(Image.fromarray(frame).resize((size, size), Image.BICUBIC)) for frame in values])
