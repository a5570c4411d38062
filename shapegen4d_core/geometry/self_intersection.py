"""Which faces of a mesh pass through others: an edge of one goes through the inside of the other.

F faces, C candidate pairs. Faces that share a vertex are never compared, so a fold around a shared corner is missed.
"""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

PAIRS_AT_ONCE = 1 << 18


def self_intersections(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Whether each face [F] of a mesh [V,3], [F,3] passes through another face."""
    corners = np.asarray(vertices, dtype=np.float64)[faces]
    hit = np.zeros(len(faces), bool)
    for first, second in _near_pairs(corners):
        apart = ~(faces[first][:, :, None] == faces[second][:, None, :]).any(axis=(1, 2))
        first, second = first[apart], second[apart]
        for start in range(0, len(first), PAIRS_AT_ONCE):
            a, b = first[start : start + PAIRS_AT_ONCE], second[start : start + PAIRS_AT_ONCE]
            crossing = _cross(corners[a], corners[b]) | _cross(corners[b], corners[a])
            hit[a[crossing]] = hit[b[crossing]] = True
    return hit


def _near_pairs(corners: np.ndarray):
    """Pairs of faces (first [C], second [C]) whose bounding balls overlap, grouped by size so that none is missed."""
    middle = (corners.min(axis=1) + corners.max(axis=1)) / 2
    radius = np.linalg.norm(corners - middle[:, None], axis=2).max(axis=1)
    size = np.floor(np.log2(np.maximum(radius, 1e-12))).astype(int)
    groups = [np.flatnonzero(size == value) for value in np.unique(size)]
    for number, large in enumerate(groups):
        for small in groups[: number + 1]:
            found = cKDTree(middle[small]).query_ball_point(middle[large], radius[large] + radius[small].max())
            first = np.repeat(large, [len(row) for row in found])
            second = small[np.concatenate([np.asarray(row, dtype=int) for row in found])] if len(first) else first
            kept = first < second if small is large else np.ones(len(first), bool)
            kept &= _boxes_meet(corners[first], corners[second])
            yield first[kept], second[kept]


def _boxes_meet(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return ((a.min(axis=1) <= b.max(axis=1)) & (b.min(axis=1) <= a.max(axis=1))).all(axis=1)


def _cross(edges_of: np.ndarray, plate: np.ndarray) -> np.ndarray:
    """Whether an edge of each triangle [C,3,3] goes through the inside of the other [C,3,3]."""
    corner, u, v = plate[:, 0], plate[:, 1] - plate[:, 0], plate[:, 2] - plate[:, 0]
    normal = np.cross(u, v)
    height = ((edges_of - corner[:, None]) * normal[:, None]).sum(axis=2)  # [C,3] signed, of each corner
    result = np.zeros(len(plate), bool)
    for k in range(3):
        low, high = height[:, k], height[:, (k + 1) % 3]
        through = np.flatnonzero(low * high < 0)
        share = (low[through] / (low[through] - high[through]))[:, None]
        start, stop = edges_of[through, k], edges_of[through, (k + 1) % 3]
        point = start + share * (stop - start) - corner[through]
        area = (normal[through] ** 2).sum(axis=1)
        along = (np.cross(point, v[through]) * normal[through]).sum(axis=1) / area
        across = (np.cross(u[through], point) * normal[through]).sum(axis=1) / area
        result[through] |= (along > 0) & (across > 0) & (along + across < 1)
    return result
