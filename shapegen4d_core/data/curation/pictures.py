"""Fixed-view RGBA clips of a placed animated mesh: one camera, one window and one light for all frames of a view.

The mesh is turned to the view first and fitted to its box again, so that the camera stands in front (+z), raised by the
elevation, and looks at the middle: the same for canonical and view shards, and as for procedural clips. A view's
azimuth is that of the camera around the asset: 0 on +z, positive towards +x. The square window is that of the union of
all frames, so the object keeps its share of the picture and one scale through the clip. Faces are drawn opaque, from
both sides.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from ...geometry.mesh import area_vectors
from ...importing.animated_mesh import AnimatedMesh
from ...rendering.rasterise import rasterise
from ..parts import rotation
from .colouring import Paint
from .edges import unit
from .rejection import Rejected
from .settings import CurationSettings

_CREASE = 0.75  # cosine below which a corner is shaded flat instead of smooth


@dataclass(frozen=True)
class View:
    """One camera and its light: angles in degrees, ``light`` a unit vector in the turned axes."""

    azimuth: float
    elevation: float
    light: np.ndarray
    tint: np.ndarray
    ambient: float


def draw_views(settings: CurationSettings, rng: np.random.Generator) -> list[View]:
    """The views of one asset: azimuths all around, elevations in their range, light from above or in front."""
    views = []
    for _ in range(settings.views):
        azimuth, elevation = rng.uniform(0, 360), rng.uniform(*settings.elevation_degrees)
        light = rng.normal(size=3) * [1.0, 0.5, 0.6] + [0, 0.9, 0.8]
        warm = rng.uniform(-0.06, 0.06)
        tint = np.array([1 + warm, 1, 1 - warm])
        views.append(View(azimuth, elevation, light / np.linalg.norm(light), tint, rng.uniform(0.2, 0.45)))
    return views


def render_view(
    mesh: AnimatedMesh,
    paint: Paint,
    smooth: np.ndarray,
    vertices: np.ndarray,
    view: View,
    settings: CurationSettings,
) -> np.ndarray:
    """Straight-alpha RGBA uint8 [T,S,S,4] of positions [T,V,3] that are turned to the view.

    ``smooth`` [V] numbers the vertices, equal where normals are to be smoothed. Raises Rejected for a picture that is
    nearly empty or touches its border.
    """
    axes = rotation("x", -view.elevation)  # columns right, up, back
    distance = 1.75 / np.sin(np.radians(settings.fov_degrees / 2))
    turn = (axes * [1, -1, -1]).T  # rows right, down, forward
    shift = np.array([0, 0, distance])
    fine = settings.image_size * settings.supersampling
    intrinsics = _window(vertices[:, np.unique(mesh.faces)].reshape(-1, 3) @ turn.T + shift, fine, settings)
    frames = []
    for number, positions in enumerate(vertices):
        samples = _samples(mesh, paint, smooth, positions, view, (intrinsics, turn, shift, fine))
        picture = _average(samples, settings.supersampling)
        _check(picture[..., 3], number, settings)
        frames.append(np.round(picture * 255).astype(np.uint8))
    return np.stack(frames)


def _window(points: np.ndarray, fine: int, settings: CurationSettings) -> np.ndarray:
    """K [3,3] of the square window in which all camera-space points [n,3] fill ``foreground_ratio`` of its side."""
    u, v = points[:, 0] / points[:, 2], points[:, 1] / points[:, 2]
    side = max(np.ptp(u), np.ptp(v)) / settings.foreground_ratio
    left, top = (u.max() + u.min() - side) / 2, (v.max() + v.min() - side) / 2
    return np.array([[fine / side, 0, -left * fine / side], [0, fine / side, -top * fine / side], [0, 0, 1.0]])


def _samples(mesh, paint, smooth, positions, view, camera) -> np.ndarray:
    """RGBA samples [fine,fine,4] of one frame, alpha 0 or 1."""
    intrinsics, turn, shift, fine = camera
    given = (torch.from_numpy(np.ascontiguousarray(a, np.float64)) for a in (intrinsics, turn, shift))
    raster = rasterise(torch.from_numpy(positions), torch.from_numpy(mesh.faces), *given, (fine, fine))
    face_id, barycentric = raster.face_id.numpy(), raster.barycentric.numpy()
    seen = face_id >= 0
    face, weights = face_id[seen], barycentric[seen]
    albedo = paint.colours(face, weights, np.bincount(face, minlength=len(mesh.faces)))
    place = (positions[mesh.faces[face]] * weights[..., None]).sum(axis=1)
    toward = unit(-turn.T @ shift - place)
    normal = (corner_normals(positions, mesh.faces, smooth)[face] * weights[..., None]).sum(axis=1)
    flat = area_vectors(positions, mesh.faces)[face]
    behind = np.einsum("ni,ni->n", flat, toward) < 0
    normal = unit(np.where(behind[:, None], -normal, normal))
    facing = np.einsum("ni,ni->n", normal, toward).clip(0, None)
    lit = (normal @ view.light).clip(0, None)
    shade = view.ambient + (0.9 - view.ambient) * lit + 0.25 * facing + 0.08 * normal[:, 1]
    out = np.zeros((fine, fine, 4))
    out[seen, :3] = (albedo * shade[:, None] * view.tint).clip(0, 1)
    out[seen, 3] = 1
    return out


def corner_normals(vertices: np.ndarray, faces: np.ndarray, smooth: np.ndarray) -> np.ndarray:
    """Unit normals [F,3,3] of every corner: smoothed over the vertices that share a number, flat across creases."""
    flat, corners = unit(area_vectors(vertices, faces)), vertices[faces]
    sums = np.zeros((len(smooth), 3))
    for i in range(3):
        a, b = (unit(corners[:, (i + k) % 3] - corners[:, i]) for k in (1, 2))
        angle = np.arccos((a * b).sum(axis=1).clip(-1, 1))
        np.add.at(sums, smooth[faces[:, i]], angle[:, None] * flat)
    rounded, flat = unit(sums)[smooth[faces]], flat[:, None]
    return np.where(((rounded * flat).sum(axis=2) < _CREASE)[..., None], flat, rounded)


def _average(samples: np.ndarray, factor: int) -> np.ndarray:
    """Mean of ``factor`` x ``factor`` samples, colour weighted by alpha."""
    size = samples.shape[0] // factor
    sums = samples.reshape(size, factor, size, factor, 4).sum(axis=(1, 3))
    return np.concatenate([sums[..., :3] / np.maximum(sums[..., 3:], 1), sums[..., 3:] / factor**2], axis=2)


def _check(alpha: np.ndarray, number: int, settings: CurationSettings) -> None:
    coverage = float(alpha.mean())
    if coverage < settings.least_coverage:
        raise Rejected("empty picture", f"{100 * coverage:.2f} % of frame {number + 1} show the object")
    if alpha[[0, -1]].any() or alpha[:, [0, -1]].any():
        raise Rejected("cropped picture", f"the object touches the border in frame {number + 1}")
