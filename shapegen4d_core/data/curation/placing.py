"""An animated mesh without its travel, in one box for the whole sequence.

What counts as travel: the skeleton's root joint relative to frame 1, in all three directions, because moving it moves
every part alike. Without a skeleton, or when the root stands still while the body leaves it, the centroid of the
surface stands in: its horizontal path when it leaves by more than a tenth of the object's size, and upwards only what
the lowest and the highest point do together, so that a growing plant keeps its foot on the ground and a ball that is
thrown does not. Rotation is never removed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...geometry.mesh import area_vectors

_LEAVING = 0.1  # of the object's longest side on frame 1


@dataclass(frozen=True)
class Placed:
    """Positions ``vertices`` [T,V,3] in half boxes; ``root_motion`` [T,3] was subtracted, in half boxes.

    A point p of frame t in the file's own space lies at ((p - travel[t]) @ turn.T - centre) * zoom, where
    ``travel = root_motion @ turn / zoom``.
    """

    vertices: np.ndarray
    root_motion: np.ndarray
    turn: np.ndarray
    centre: np.ndarray
    zoom: float


def travel(vertices: np.ndarray, faces: np.ndarray, root: np.ndarray | None) -> np.ndarray:
    """How far the body as a whole has come since frame 1: [T,3] in the unit of the vertices [T,V,3]."""
    path = np.zeros((len(vertices), 3))
    if root is not None:
        path = np.asarray(root, np.float64) - np.asarray(root[0], np.float64)
    used = vertices[:, np.unique(faces)].astype(np.float64) - path[:, None]
    limit = _LEAVING * np.ptp(used[0], axis=0).max()
    rest = np.zeros_like(path)
    centroid = np.stack([_centroid(frame, faces) for frame in vertices]) - path
    flat = (centroid - centroid[0])[:, [0, 2]]
    if np.linalg.norm(flat, axis=1).max() > limit:
        rest[:, [0, 2]] = flat
    up = _together(used[..., 1].min(axis=1), used[..., 1].max(axis=1))
    if np.abs(up).max() > limit:
        rest[:, 1] = up
    return path + rest


def _centroid(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    corners = vertices.astype(np.float64)[faces]
    areas = np.linalg.norm(area_vectors(vertices, faces), axis=1)
    middle = corners.mean(axis=1)
    return np.average(middle, axis=0, weights=areas) if areas.sum() > 0 else middle.mean(axis=0)


def _together(low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """The part of two paths [T] from frame 1 that both have: the shorter one where they go the same way, else 0."""
    low, high = low - low[0], high - high[0]
    return np.where(low * high > 0, np.sign(low) * np.minimum(np.abs(low), np.abs(high)), 0.0)


def place(vertices: np.ndarray, faces: np.ndarray, path: np.ndarray, turn: np.ndarray, margin: float) -> Placed:
    """Subtract ``path [T,3]`` from ``vertices [T,V,3]``, turn them, and fit them to [-margin, margin], longest side."""
    turned = (vertices.astype(np.float64) - path[:, None]) @ turn.T
    used = turned[:, np.unique(faces)]
    low, high = used.min(axis=(0, 1)), used.max(axis=(0, 1))
    centre, zoom = (low + high) / 2, 2 * margin / float((high - low).max())
    return Placed((turned - centre) * zoom, (path @ turn.T * zoom).astype(np.float32), turn, centre, zoom)
