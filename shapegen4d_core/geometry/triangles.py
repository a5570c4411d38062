"""The nearest place on triangles, one point against one triangle each."""

from __future__ import annotations

import numpy as np


def closest_on_triangles(points: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """Barycentric weights [P,3] of the point of each triangle [P,3,3] nearest to each point [P,3]."""
    a, b, c = triangles[:, 0], triangles[:, 1], triangles[:, 2]
    across, along, offset = b - a, c - a, points - a
    dots = [(first * second).sum(axis=1) for first, second in
            ((across, across), (across, along), (along, along), (offset, across), (offset, along))]  # fmt: skip
    scale = dots[0] * dots[2] - dots[1] ** 2
    solid = scale > 1e-12 * np.maximum(dots[0] * dots[2], 1e-300)  # below it rounding decides
    divisor = np.where(solid, scale, 1)
    second = (dots[2] * dots[3] - dots[1] * dots[4]) / divisor
    third = (dots[0] * dots[4] - dots[1] * dots[3]) / divisor
    weights = np.stack([1 - second - third, second, third], axis=1)
    outside = np.flatnonzero(~(solid & (weights >= 0).all(axis=1)))
    weights[outside] = closest_on_edges(points[outside], triangles[outside])[0]
    return weights


def closest_on_edges(points: np.ndarray, triangles: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Barycentric weights [P,3] of the nearest place on the edges of each triangle [P,3,D], and its squared distance.

    Points are [P,D], in two dimensions or three.
    """
    weights, best = np.zeros((len(points), 3)), np.full(len(points), np.inf)
    for start in range(3):
        stop = (start + 1) % 3
        edge = triangles[:, stop] - triangles[:, start]
        offset = points - triangles[:, start]
        length = (edge**2).sum(axis=1)
        share = ((offset * edge).sum(axis=1) / np.where(length > 0, length, 1)).clip(0, 1)
        distance = ((offset - share[:, None] * edge) ** 2).sum(axis=1)
        nearer = distance < best
        best[nearer] = distance[nearer]
        weights[nearer] = 0
        weights[nearer, start], weights[nearer, stop] = 1 - share[nearer], share[nearer]
    return weights, best
