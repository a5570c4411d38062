"""Which animated meshes are worth a shard; every rule refuses with its own reason."""

from __future__ import annotations

import numpy as np

from ...geometry.mesh import area_vectors
from .rejection import Rejected
from .settings import CurationSettings
from .welding import parts, weld

_STILL = 1e-4  # half boxes between two frames that count as no change


def check_mesh(vertices: np.ndarray, faces: np.ndarray, settings: CurationSettings) -> None:
    """Refuse meshes with too few faces, without size, and with a part that dwarfs the others."""
    areas = np.linalg.norm(area_vectors(vertices[0], faces), axis=1) if len(faces) else np.zeros(0)
    solid = int((areas > 0).sum())
    if solid < settings.least_faces:
        raise Rejected("too few faces", f"{solid} faces with an area, at least {settings.least_faces} wanted")
    ratio = dominance(vertices, faces)
    if ratio > settings.most_dominance:
        raise Rejected("dominating part", f"one part is {ratio:.0f} times as large as the box of all others")


def dominance(vertices: np.ndarray, faces: np.ndarray) -> float:
    """Longest side of the largest connected part over that of the box of all other parts, on frame 1; 0 for one."""
    count, of_face = parts(weld(vertices[:1], faces)[faces])
    if count < 2:
        return 0.0
    corners = vertices[0].astype(np.float64)[faces]
    low, high = np.full((count, 3), np.inf), np.full((count, 3), -np.inf)
    np.minimum.at(low, of_face, corners.min(axis=1))
    np.maximum.at(high, of_face, corners.max(axis=1))
    largest = int((high - low).max(axis=1).argmax())
    others = np.arange(count) != largest
    rest = (high[others].max(axis=0) - low[others].min(axis=0)).max()
    return float((high[largest] - low[largest]).max() / max(rest, 1e-12))


def check_motion(vertices: np.ndarray, faces: np.ndarray, settings: CurationSettings) -> dict[str, float]:
    """Refuse placed sequences [T,V,3] that stand still or burst; returns what was measured, in half boxes.

    ``motion``: mean over the surface of each point's farthest way from frame 1. ``step``: the largest mean way from
    one frame to the next. ``spread``: the sequence's longest side over that of its median frame.
    """
    areas = np.linalg.norm(area_vectors(vertices[0], faces), axis=1) + 1e-12
    middle = vertices[:, faces].mean(axis=2)  # [T,F,3]
    motion = float(np.average(np.linalg.norm(middle - middle[0], axis=2).max(axis=0), weights=areas))
    steps = np.average(np.linalg.norm(np.diff(middle, axis=0), axis=2), axis=1, weights=areas)
    sides = np.ptp(vertices[:, np.unique(faces)], axis=1).max(axis=1)
    spread = float(2 * settings.margin / max(np.median(sides), 1e-12))
    if motion < settings.least_motion:
        raise Rejected("no motion", f"points move by {motion:.4f} half boxes, at least {settings.least_motion} wanted")
    moving = int((steps > _STILL).sum())
    if moving < (len(vertices) - 1) / 2:
        raise Rejected("too few frames", f"{moving + 1} of {len(vertices)} frames differ from the one before")
    if spread > settings.most_spread:
        raise Rejected("exploding motion", f"the sequence is {spread:.1f} times as large as its median frame")
    if steps.max() > settings.most_step:
        raise Rejected("exploding motion", f"points jump by {steps.max():.2f} half boxes from frame to frame")
    return {"motion": motion, "step": float(steps.max()), "spread": spread}
