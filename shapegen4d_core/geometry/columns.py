"""Winding numbers of closed meshes on a grid, by the crossings of its columns: exact, and one pass over the faces.

Along a column (x, y) the winding number changes by one at every face, by the way the face looks. Whether a column
meets a face is decided by the edges alone, each computed the same way from both of its faces and with half-open
rules, so a column through an edge or a vertex is counted once.
"""

from __future__ import annotations

import numpy as np

SAMPLES_AT_ONCE = 1 << 21


def column_winding(vertices: np.ndarray, faces: np.ndarray, axis: np.ndarray) -> np.ndarray:
    """Winding number int32 [R,R,R] of a closed mesh [V,3], [F,3] at the points (axis[i], axis[j], axis[k]).

    ``axis`` [R] rises evenly. For a mesh with holes the values below a hole are wrong.
    """
    size = len(axis)
    steps = np.zeros((size, size, size + 1), dtype=np.int32)
    corners = np.asarray(vertices, dtype=np.float64)[faces]
    first, count = _spans(corners, axis)
    samples = count.prod(axis=1)
    ends = np.cumsum(samples)
    start = 0
    while start < len(faces):
        done = ends[start - 1] if start else 0
        stop = max(start + 1, int(np.searchsorted(ends, done + SAMPLES_AT_ONCE, side="right")))
        _add(steps, corners[start:stop], first[start:stop], count[start:stop], axis)
        start = stop
    return np.cumsum(steps[:, :, ::-1], axis=2, dtype=np.int32)[:, :, ::-1][:, :, 1:]


def _spans(corners: np.ndarray, axis: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """First column and number of columns, both [F,2], whose x and y lie in each face's box."""
    first = np.searchsorted(axis, corners[:, :, :2].min(axis=1), side="left")
    stop = np.searchsorted(axis, corners[:, :, :2].max(axis=1), side="right")
    return first, stop - first


def _add(steps: np.ndarray, corners: np.ndarray, first: np.ndarray, count: np.ndarray, axis: np.ndarray) -> None:
    """Note for every column that meets a face how many grid points lie below it: ``steps[i,j,k]`` for k points."""
    face = np.repeat(np.arange(len(corners)), count.prod(axis=1))
    within = np.arange(len(face)) - np.repeat(np.cumsum(count.prod(axis=1)) - count.prod(axis=1), count.prod(axis=1))
    i = first[face, 0] + within // count[face, 1]
    j = first[face, 1] + within % count[face, 1]
    x, y = axis[i], axis[j]
    turns = np.zeros(len(face), dtype=np.int32)
    for a, b in ((0, 1), (1, 2), (2, 0)):
        turns += _edge_turn(corners[:, a, :2][face], corners[:, b, :2][face], x, y)
    hit = np.flatnonzero(turns)
    height = _height(corners[face[hit]], x[hit], y[hit])
    below = np.searchsorted(axis, height, side="left")
    np.add.at(steps, (i[hit], j[hit], below), turns[hit])


def _edge_turn(a: np.ndarray, b: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """+1 or -1 where the edge crosses the ray from (x, y) towards +x upwards or downwards, else 0."""
    up = (b[:, 1] > y).astype(np.int32) - (a[:, 1] > y)
    crossing = np.flatnonzero(up)
    a, b, x, y = a[crossing], b[crossing], x[crossing], y[crossing]
    swap = (a[:, 1] > b[:, 1])[:, None]  # the same arithmetic from both faces
    low, high = np.where(swap, b, a), np.where(swap, a, b)
    at = low[:, 0] + (y - low[:, 1]) * (high[:, 0] - low[:, 0]) / (high[:, 1] - low[:, 1])
    up[crossing] *= at > x
    return up


def _height(corners: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """z of each face's plane at (x, y), within the face's own range."""
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    fall = normal[:, 0] * (x - corners[:, 0, 0]) + normal[:, 1] * (y - corners[:, 0, 1])
    steep = np.where(normal[:, 2] == 0, 1.0, normal[:, 2])
    return (corners[:, 0, 2] - fall / steep).clip(corners[:, :, 2].min(axis=1), corners[:, :, 2].max(axis=1))
