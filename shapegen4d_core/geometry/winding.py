"""Generalised winding numbers: how often a mesh, closed or not, goes around a point; 1 inside, 0 outside.

P points, V vertices, F faces, counter-clockwise seen from outside. A mesh with holes is closed by a cone over every
border; the closed mesh has whole winding numbers, and the cones' own solid angles, few triangles, are taken off again.
That is exact, because solid angles add up (Jacobson et al. 2013, "Robust inside-outside segmentation").
"""

from __future__ import annotations

import math

import numpy as np
import torch
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from .columns import column_winding

PAIRS_AT_ONCE = 1 << 17


def winding_number(
    points: np.ndarray,
    vertices: np.ndarray,
    faces: np.ndarray,
    dtype: torch.dtype = torch.float64,
    pairs_at_once: int = PAIRS_AT_ONCE,
) -> np.ndarray:
    """Winding number [P] of a mesh [V,3], [F,3] at points [P,3]: the sum of all solid angles over 4 pi.

    Computed in ``dtype``. The cost is P x F; for grids use :func:`grid_inside`. On the surface the value is in between.
    """
    if len(faces) == 0:
        return np.zeros(len(points))
    corners = torch.as_tensor(np.asarray(vertices)[faces], dtype=dtype)  # [F,3,3]
    rows = torch.as_tensor(np.asarray(points), dtype=dtype)
    shape = _FaceTerms(corners)
    parts = [shape.angles(chunk) for chunk in rows.split(max(1, pairs_at_once // len(faces)))]
    return torch.cat(parts).double().numpy() / (2 * math.pi)


class _FaceTerms:
    """What the solid angles of faces need that no point changes, so that a point costs only products."""

    def __init__(self, corners: torch.Tensor):
        a, b, c = corners.unbind(1)
        self.corners = (a, b, c)
        self.volume = (a * torch.linalg.cross(b, c)).sum(1)
        self.area = torch.linalg.cross(a, b) + torch.linalg.cross(b, c) + torch.linalg.cross(c, a)
        self.dots = [((u * v).sum(1), u + v) for u, v in ((a, b), (b, c), (c, a))]
        self.squares = [(u * u).sum(1) for u in (a, b, c)]

    def angles(self, points: torch.Tensor) -> torch.Tensor:
        """Half the solid angle of all faces together at each point [P]."""
        own = (points * points).sum(1, keepdim=True)
        lengths = [
            (square + own - 2 * points @ corner.T).clamp_(min=0).sqrt_()
            for square, corner in zip(self.squares, self.corners)
        ]
        ab, bc, ca = (product + own - points @ total.T for product, total in self.dots)
        la, lb, lc = lengths
        beside = la * lb * lc + ab * lc + bc * la + ca * lb
        return torch.atan2(self.volume - points @ self.area.T, beside).sum(1)


def weld(vertices: np.ndarray, faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The mesh with vertices at one place made one, and without faces that vanish by it."""
    places, number = np.unique(vertices, axis=0, return_inverse=True)
    faces = number.reshape(-1)[faces]
    distinct = (faces != np.roll(faces, 1, axis=1)).all(axis=1)
    return places, faces[distinct]


def border_cones(vertices: np.ndarray, faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Vertices with one more per border, and the faces [C,3] that close the mesh: a cone over each border.

    An edge is on a border when its faces do not use it as often one way as the other.
    """
    start, stop = _border(faces)
    if len(start) == 0:
        return vertices, np.zeros((0, 3), dtype=np.int64)
    used, ends = np.unique(np.concatenate([start, stop]), return_inverse=True)
    first, last = ends[: len(start)], ends[len(start) :]
    links = coo_array((np.ones(len(first)), (first, last)), shape=(len(used), len(used)))
    count, label = connected_components(links, directed=False)
    sizes = np.bincount(label, minlength=count)[:, None]
    tips = np.stack([np.bincount(label, vertices[used, axis], minlength=count) for axis in range(3)], axis=1) / sizes
    cones = np.stack([stop, start, len(vertices) + label[first]], axis=1)
    return np.concatenate([vertices.astype(np.float64), tips]), cones


def _border(faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Directed edges (start [E], stop [E]) left over when opposite uses cancel, repeated as often as they remain."""
    start = faces.reshape(-1).astype(np.int64)
    stop = np.roll(faces, -1, axis=1).reshape(-1).astype(np.int64)
    low, high = np.minimum(start, stop), np.maximum(start, stop)
    size = int(faces.max(initial=0)) + 1
    keys, number = np.unique(low * size + high, return_inverse=True)
    balance = np.bincount(number.reshape(-1), np.where(start < stop, 1, -1), minlength=len(keys)).astype(np.int64)
    low, high = keys // size, keys % size
    forward = balance > 0
    times = np.abs(balance)
    return np.repeat(np.where(forward, low, high), times), np.repeat(np.where(forward, high, low), times)


def grid_inside(vertices: np.ndarray, faces: np.ndarray, axis: np.ndarray) -> np.ndarray:
    """Whether the winding number of a mesh [V,3], [F,3] is above 1/2 at the points (axis[i], axis[j], axis[k]).

    ``axis`` [R] rises evenly; returns bool [R,R,R]. A mesh that is turned inside out counts like its reverse.
    Exact crossings for closed meshes; with holes, solid angles are summed where they could decide.
    """
    vertices, faces = weld(vertices, faces)
    if len(faces) == 0:
        return np.zeros((len(axis),) * 3, dtype=bool)
    closed, cones = border_cones(vertices, faces)
    whole = column_winding(closed, np.concatenate([faces, cones]), axis)
    inside = whole != 0
    near = _undecided(closed, cones, axis)
    if len(near):
        of_cones = winding_number(np.stack([axis[rows] for rows in near.T], axis=1), closed, cones, dtype=torch.float32)
        inside[tuple(near.T)] = np.abs(whole[tuple(near.T)] - of_cones) > 0.5
    return inside


def _undecided(vertices: np.ndarray, cones: np.ndarray, axis: np.ndarray) -> np.ndarray:
    """Grid indices [P,3] where the cones' winding number could reach 1/2.

    Triangles of total area A at distance d or more fill at most A / d^2 of the solid angle.
    """
    if len(cones) == 0:
        return np.zeros((0, 3), dtype=np.int64)
    bound = np.zeros((len(axis),) * 3)
    for tip in np.unique(cones[:, 2]):
        corners = vertices[cones[cones[:, 2] == tip]]
        area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1).sum() / 2
        radius = np.linalg.norm(corners[:, :2] - vertices[tip], axis=-1).max()
        x, y, z = ((axis - middle) ** 2 for middle in vertices[tip])
        gap = np.sqrt(x[:, None, None] + y[:, None] + z) - radius
        bound += area / (4 * math.pi * gap.clip(1e-6) ** 2)
    return np.argwhere(bound >= 0.5)
