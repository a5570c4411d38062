"""Optional clean-up of a decoded mesh: specks removed."""

from __future__ import annotations

import numpy as np

from ..geometry.mesh import area_vectors, components, drop_unused_vertices, face_volumes


def remove_floaters(vertices: np.ndarray, faces: np.ndarray, ratio: float) -> tuple[np.ndarray, np.ndarray]:
    """The closed mesh [V,3], [F,3] without parts whose area is below ``ratio`` (0..1) of the largest part's.

    Area and not volume, because a detached sheet or strand is thin but seen; and not faces, whose number
    depends on the grid. ``ratio`` compares squared sizes: 0.005 removes round specks below 7 % of the largest
    part's diameter. A hollow whose wall goes is removed with it.
    """
    count, part = components(faces, len(vertices))
    if count < 2 or ratio <= 0:
        return vertices, faces
    area = np.bincount(part, np.linalg.norm(area_vectors(vertices, faces), axis=1), count)
    volume = np.bincount(part, face_volumes(vertices, faces), count)
    kept = area >= ratio * area.max()
    low, high = _part_boxes(vertices, faces, part, count)
    for hollow in np.flatnonzero(kept & (volume < 0)):
        walls = kept & (volume >= 0)
        around = (low[walls] <= low[hollow]).all(1) & (high[walls] >= high[hollow]).all(1)
        kept[hollow] = around.any()
    if kept.all():
        return vertices, faces
    return drop_unused_vertices(vertices, faces[kept[part]])


def _part_boxes(
    vertices: np.ndarray, faces: np.ndarray, part: np.ndarray, count: int
) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper corners [count,3] of the bounding box of each part."""
    corners = vertices[faces]  # [F,3,3]
    low, high = np.full((count, 3), np.inf), np.full((count, 3), -np.inf)
    np.minimum.at(low, part, corners.min(axis=1))
    np.maximum.at(high, part, corners.max(axis=1))
    return low, high
