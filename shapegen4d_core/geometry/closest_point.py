"""The nearest point of a triangle mesh, for many points: a tree of boxes over triangles in space-filling order.

P points, V vertices, F faces. Exact for any triangles, also degenerate ones; compiled with numba, in float64.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numba import njit

_LEAF = 4


@dataclass(frozen=True)
class Closest:
    """For every point: ``distance`` [P], ``face`` [P] int64 (-1 beyond the limit), ``barycentric`` [P,3]."""

    distance: np.ndarray
    face: np.ndarray
    barycentric: np.ndarray


class MeshTree:
    """A mesh [V,3], [F,3] prepared for nearest-point queries."""

    def __init__(self, vertices: np.ndarray, faces: np.ndarray) -> None:
        self.corners = np.ascontiguousarray(np.asarray(vertices, np.float64)[faces])  # [F,3,3]
        self._order = np.argsort(_morton(self.corners.mean(axis=1)), kind="stable")
        self._sorted = np.ascontiguousarray(self.corners[self._order])
        leaves = 1 << max(0, math.ceil(math.log2(max(1, len(faces)) / _LEAF)))
        self._leaf_size = -(-len(faces) // leaves)
        self._boxes = _boxes(self._sorted, leaves, self._leaf_size)

    def closest(self, points: np.ndarray, limit: float = math.inf) -> Closest:
        """Nearest points of the mesh to ``points [P,3]``; beyond ``limit`` the distance is ``limit``, the face -1.

        Without faces every point is beyond the limit.
        """
        points = np.ascontiguousarray(points, np.float64)
        turn = np.argsort(_morton(points), kind="stable")
        distance, place, shares = _query(points, turn, self._sorted, self._boxes, self._leaf_size, float(limit))
        face = np.where(place >= 0, self._order[place], -1) if len(self._order) else place
        return Closest(distance, face, np.column_stack([1 - shares.sum(axis=1), shares]))

    def positions(self, found: Closest) -> np.ndarray:
        """Places [P,3] of the nearest points; rows beyond the limit mean nothing."""
        return (self.corners[found.face] * found.barycentric[..., None]).sum(axis=1)


def _morton(points: np.ndarray) -> np.ndarray:
    """Place of each point along a space-filling curve, 20 bits per axis."""
    if len(points) == 0:
        return np.zeros(0, np.uint64)
    low, extent = points.min(axis=0), np.ptp(points, axis=0).max()
    cells = ((points - low) / max(extent, 1e-300) * (2**20 - 1)).astype(np.uint64)
    code = np.zeros(len(points), np.uint64)
    for bit in range(20):
        for axis in range(3):
            code |= ((cells[:, axis] >> np.uint64(bit)) & np.uint64(1)) << np.uint64(3 * bit + axis)
    return code


def _boxes(corners: np.ndarray, leaves: int, leaf_size: int) -> np.ndarray:
    """Lowest and highest corners [2*leaves,6] of a complete binary tree: node n has the children 2n and 2n+1."""
    boxes = np.empty((2 * leaves, 6))
    boxes[:, :3], boxes[:, 3:] = np.inf, -np.inf
    padding = np.full((leaves * leaf_size - len(corners), 3), np.inf)
    if leaf_size:
        first, last = np.concatenate([corners.min(axis=1), padding]), np.concatenate([corners.max(axis=1), -padding])
        boxes[leaves:, :3] = first.reshape(leaves, leaf_size, 3).min(axis=1)
        boxes[leaves:, 3:] = last.reshape(leaves, leaf_size, 3).max(axis=1)
    while leaves > 1:
        children = boxes[leaves : 2 * leaves].reshape(leaves // 2, 2, 6)
        leaves //= 2
        boxes[leaves : 2 * leaves, :3] = children[..., :3].min(axis=1)
        boxes[leaves : 2 * leaves, 3:] = children[..., 3:].max(axis=1)
    return boxes


@njit(cache=True, inline="always")
def _segment(x, y, z, ux, uy, uz):
    """Squared distance from a point to the segment from the origin to u, and the share of u there."""
    length, t = ux * ux + uy * uy + uz * uz, 0.0
    if length > 0.0:
        t = min(max((x * ux + y * uy + z * uz) / length, 0.0), 1.0)
    x, y, z = x - t * ux, y - t * uy, z - t * uz
    return x * x + y * y + z * z, t


@njit(cache=True)
def _triangle(x, y, z, corners, face):
    """Squared distance from a point to a triangle, and the shares of its second and third corner there."""
    ax, ay, az = corners[face, 0, 0], corners[face, 0, 1], corners[face, 0, 2]
    ux, uy, uz = corners[face, 1, 0] - ax, corners[face, 1, 1] - ay, corners[face, 1, 2] - az
    vx, vy, vz = corners[face, 2, 0] - ax, corners[face, 2, 1] - ay, corners[face, 2, 2] - az
    x, y, z = x - ax, y - ay, z - az
    uu, uv, vv = ux * ux + uy * uy + uz * uz, ux * vx + uy * vy + uz * vz, vx * vx + vy * vy + vz * vz
    wu, wv = x * ux + y * uy + z * uz, x * vx + y * vy + z * vz
    area = uu * vv - uv * uv
    if area > 1e-12 * uu * vv:
        s, t = (vv * wu - uv * wv) / area, (uu * wv - uv * wu) / area
        if s >= 0.0 and t >= 0.0 and s + t <= 1.0:
            x, y, z = x - s * ux - t * vx, y - s * uy - t * vy, z - s * uz - t * vz
            return x * x + y * y + z * z, s, t
    best, s = _segment(x, y, z, ux, uy, uz)
    t = 0.0
    square, share = _segment(x, y, z, vx, vy, vz)
    if square < best:
        best, s, t = square, 0.0, share
    square, share = _segment(x - ux, y - uy, z - uz, vx - ux, vy - uy, vz - uz)
    if square < best:
        best, s, t = square, 1.0 - share, share
    return best, s, t


@njit(cache=True, inline="always")
def _box(x, y, z, boxes, node):
    """Squared distance from a point to a node's box, 0 inside."""
    x = max(max(boxes[node, 0] - x, x - boxes[node, 3]), 0.0)
    y = max(max(boxes[node, 1] - y, y - boxes[node, 4]), 0.0)
    z = max(max(boxes[node, 2] - z, z - boxes[node, 5]), 0.0)
    return x * x + y * y + z * z


@njit(cache=True)
def _query(points, turn, corners, boxes, leaf_size, limit):
    """Distance [P], place in ``corners`` (-1 beyond the limit) and the shares of the second and third corner [P,2]."""
    count, faces, leaves = points.shape[0], corners.shape[0], boxes.shape[0] // 2
    distance, face, shares = np.empty(count), np.empty(count, np.int64), np.zeros((count, 2))
    stack, reach = np.empty(128, np.int64), np.empty(128)
    last = -1  # neighbouring points often share their nearest triangle: try it first
    for i in turn:
        x, y, z = points[i, 0], points[i, 1], points[i, 2]
        best, nearest, s, t = limit * limit, -1, 0.0, 0.0
        if last >= 0:
            square, a, b = _triangle(x, y, z, corners, last)
            if square <= best:
                best, nearest, s, t = square, last, a, b
        stack[0], reach[0], top = 1, _box(x, y, z, boxes, 1), 1
        while top > 0:
            top -= 1
            node = stack[top]
            if not reach[top] < best:
                continue
            if node >= leaves:
                start = (node - leaves) * leaf_size
                for k in range(start, min(start + leaf_size, faces)):
                    square, a, b = _triangle(x, y, z, corners, k)
                    if square < best:
                        best, nearest, s, t = square, k, a, b
                continue
            far, near = 2 * node, 2 * node + 1
            to_far, to_near = _box(x, y, z, boxes, far), _box(x, y, z, boxes, near)
            if to_far < to_near:
                far, near, to_far, to_near = near, far, to_near, to_far
            if to_far < best:
                stack[top], reach[top] = far, to_far
                top += 1
            if to_near < best:
                stack[top], reach[top] = near, to_near
                top += 1
        distance[i], face[i], shares[i, 0], shares[i, 1] = math.sqrt(best), nearest, s, t
        if nearest >= 0:
            last = nearest
    return distance, face, shares
