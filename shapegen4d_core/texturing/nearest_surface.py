"""The nearest point of a mesh for many points, among faces that look the same way; scipy's trees, no compiled code.

Faces are sampled densely; each point tries the faces of its nearest samples exactly. P points, F faces.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..geometry.distances import tree_of
from ..geometry.mesh import area_vectors
from ..geometry.surface_points import choose_points
from ..geometry.triangles import closest_on_triangles
from ..progress import Check, tick

_SAMPLES_PER_FACE = 2
_LEAST_SAMPLES = 20_000
_CANDIDATES = 6
_ROWS = 1 << 16  # points handled at once
_PENALTY = 0.1  # how much farther a face turned away counts, in half boxes of the mesh


@dataclass(frozen=True, eq=False)
class Nearest:
    """For every point: ``face`` [P] int64, barycentric ``weights`` [P,3], ``distance`` [P], ``cosine`` [P].

    The cosine is that between the point's normal and the face's; 1 when no normals were given.
    """

    face: np.ndarray
    weights: np.ndarray
    distance: np.ndarray
    cosine: np.ndarray


class NearestSurface:
    """A mesh [V,3], [F,3] prepared for nearest-point queries; raises InputError when it has no area."""

    def __init__(self, vertices: np.ndarray, faces: np.ndarray, seed: int = 0) -> None:
        self.corners = np.asarray(vertices, np.float64)[faces]  # [F,3,3]
        vectors = area_vectors(vertices, faces)
        length = np.linalg.norm(vectors, axis=1, keepdims=True)
        self.normals = vectors / np.maximum(length, 1e-300)
        spans = np.ptp(self.corners.reshape(-1, 3), axis=0)
        self._penalty = _PENALTY * float(spans.max()) / 2
        count = max(_LEAST_SAMPLES, _SAMPLES_PER_FACE * len(faces))
        drawn = choose_points(vertices, faces, count, seed)
        points = np.concatenate([drawn.on(vertices, faces), self.corners.mean(axis=1)])
        self._face = np.concatenate([drawn.face, np.arange(len(faces))])
        self._tree = tree_of(points)

    def query(self, points: np.ndarray, normals: np.ndarray | None = None, check: Check | None = None) -> Nearest:
        """Nearest points for ``points`` [P,3]; with unit ``normals`` [P,3] faces turned away count as farther."""
        parts = []
        for start in range(0, len(points), _ROWS):
            tick(None, check, start, len(points))
            part = slice(start, start + _ROWS)
            parts.append(self._among(np.asarray(points[part], np.float64), None if normals is None else normals[part]))
        if not parts:
            return Nearest(np.zeros(0, np.int64), np.zeros((0, 3)), np.zeros(0), np.zeros(0))
        return Nearest(*(np.concatenate(column) for column in zip(*parts)))

    def _among(self, points: np.ndarray, normals: np.ndarray | None) -> tuple[np.ndarray, ...]:
        _, samples = self._tree.query(points, k=_CANDIDATES)
        candidates = self._face[samples]  # [P,K]
        best = np.full(len(points), np.inf)
        face, weights = candidates[:, 0].copy(), np.zeros((len(points), 3))
        for column in range(_CANDIDATES):
            tried = candidates[:, column]
            shares = closest_on_triangles(points, self.corners[tried])
            distance = np.linalg.norm((self.corners[tried] * shares[..., None]).sum(axis=1) - points, axis=1)
            if normals is not None:
                distance = distance + self._penalty * (1 - (self.normals[tried] * normals).sum(axis=1)) / 2
            nearer = distance < best
            best[nearer], face[nearer], weights[nearer] = distance[nearer], tried[nearer], shares[nearer]
        found = (self.corners[face] * weights[..., None]).sum(axis=1)
        cosine = np.ones(len(points)) if normals is None else (self.normals[face] * normals).sum(axis=1)
        return face, weights, np.linalg.norm(found - points, axis=1), cosine
