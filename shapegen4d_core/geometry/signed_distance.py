"""Signed distance to a closed mesh: the sign comes from the angle-weighted normal of the nearest vertex, edge or face.

That is exact for closed, edge-manifold meshes without self-intersection (Baerentzen and Aanaes 2005). P points,
V vertices, F faces, counter-clockwise seen from outside.
"""

from __future__ import annotations

import numpy as np

from .closest_point import Closest, MeshTree
from .mesh import area_vectors

_ON = 1e-9  # barycentric coordinates below this lie on the opposite edge


class ClosedMesh:
    """A closed mesh [V,3], [F,3] prepared for signed distances."""

    def __init__(self, vertices: np.ndarray, faces: np.ndarray) -> None:
        self.faces, self.tree = faces, MeshTree(vertices, faces)
        vectors = area_vectors(vertices, faces)
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        self.normals = np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0)
        self._at_vertex = self._angle_weighted(len(vertices))
        self._at_edge = self._edge_sums()

    def signed(self, points: np.ndarray, limit: float = np.inf) -> tuple[np.ndarray, Closest]:
        """Distance [P] from the surface, positive inside, and the nearest points; undefined sign beyond ``limit``."""
        found = self.tree.closest(points, limit)
        away = np.asarray(points, np.float64) - self.tree.positions(found)
        normal = self.normals[found.face].copy()
        off = found.barycentric < _ON
        for corner in range(3):
            edge = off[:, (corner + 2) % 3]  # the nearest point lies on the edge from corner to corner + 1
            normal[edge] = self._at_edge[found.face[edge], corner]
        for corner in range(3):
            vertex = off[:, (corner + 1) % 3] & off[:, (corner + 2) % 3]
            normal[vertex] = self._at_vertex[self.faces[found.face[vertex], corner]]
        inside = np.einsum("pi,pi->p", away, normal) < 0
        return np.where(inside, found.distance, -found.distance), found

    def _angle_weighted(self, count: int) -> np.ndarray:
        corners, sums = self.tree.corners, np.zeros((count, 3))
        for i in range(3):
            to_next, to_last = (corners[:, (i + k) % 3] - corners[:, i] for k in (1, 2))
            across = np.linalg.norm(np.cross(to_next, to_last), axis=1)
            angle = np.arctan2(across, np.einsum("fi,fi->f", to_next, to_last))
            np.add.at(sums, self.faces[:, i], angle[:, None] * self.normals)
        return sums

    def _edge_sums(self) -> np.ndarray:
        """Sum of the normals [F,3,3] of the two faces at each edge of a face, from corner i to corner i + 1."""
        start = self.faces.reshape(-1).astype(np.int64)
        stop = np.roll(self.faces, -1, axis=1).reshape(-1).astype(np.int64)
        key = np.minimum(start, stop) * (int(self.faces.max(initial=0)) + 1) + np.maximum(start, stop)
        _, edge = np.unique(key, return_inverse=True)
        sums = np.stack([np.bincount(edge, np.repeat(self.normals[:, axis], 3)) for axis in range(3)], axis=1)
        return sums[edge].reshape(-1, 3, 3)
