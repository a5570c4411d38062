"""The two surfaces of a fit: samples on the mesh that moves, and a searchable cloud of the mesh it should reach.

V vertices, F faces, P samples of the moving mesh, Q samples of the target. Lengths in half boxes.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.sparse import csr_array
from scipy.spatial import cKDTree

from ...geometry.distances import tree_of
from ...geometry.mesh import area_vectors, components, vertex_normals
from ...geometry.surface_points import SurfacePoints, choose_points

PARTS_APART = 10.0  # half boxes between matched parts in the search: none is ever found from another
SEARCHED = 3  # times as many target points are searched as are asked from the other side, against sampling noise


def unit(vectors: np.ndarray) -> np.ndarray:
    """Vectors [P,3] at length 1; those without length stay 0."""
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)


@dataclass(frozen=True)
class Target:
    """A surface to reach: points [Q,3], their unit normals [Q,3], and how strongly normals count in the search.

    ``part`` [Q] is the loose part of each point, of ``part_count``; ``matched`` [Q] the template's part it belongs to,
    None when all points may be found from everywhere.
    """

    points: np.ndarray
    normals: np.ndarray
    normal_weight: float
    asked: int
    part: np.ndarray | None = None
    part_count: int = 1
    area: float = 0.0
    matched: np.ndarray | None = None

    @classmethod
    def of_mesh(cls, vertices: np.ndarray, faces: np.ndarray, count: int, normal_weight: float, seed: int) -> Target:
        """Area-weighted samples of a mesh [V,3], [F,3]: ``count`` that ask, SEARCHED times as many that are found."""
        chosen = choose_points(vertices, faces, SEARCHED * count, seed)
        normals = unit(chosen.on(vertex_normals(vertices, faces), faces))
        parts, of_face = components(faces, len(vertices))
        area = float(np.linalg.norm(area_vectors(vertices, faces), axis=1).sum())
        points = chosen.on(vertices, faces)
        return cls(points, normals, normal_weight, count, of_face[chosen.face], parts, area)

    def features(self) -> np.ndarray:
        """Positions and weighted normals [Q,6], in which nearest points are searched, and the part where it counts."""
        return _features(self.points, self.normals, self.normal_weight, self.matched)

    @cached_property
    def tree(self) -> cKDTree:
        """A tree of the features, built once."""
        return tree_of(self.features())


class Template:
    """The mesh that is carried along: its rest shape [V,3], faces [F,3] and fixed places [P] of samples on it."""

    def __init__(self, rest: np.ndarray, faces: np.ndarray, count: int, seed: int) -> None:
        self.rest, self.faces = np.asarray(rest, dtype=np.float64), faces
        self.places: SurfacePoints = choose_points(rest, faces, count, seed)
        rows = np.repeat(np.arange(count), 3)
        columns = faces[self.places.face].reshape(-1)
        self.part_count, of_face = components(faces, len(rest))
        self.part = of_face[self.places.face]
        self.vertex_part = np.zeros(len(rest), int)
        self.vertex_part[faces] = of_face[:, None]
        self.face_part = of_face
        shape = (count, len(rest))
        self.to_samples = csr_array((self.places.weights.reshape(-1), (rows, columns)), shape=shape)

    def part_areas(self, vertices: np.ndarray) -> np.ndarray:
        """Area of each loose part, float64, for vertices [V,3]."""
        areas = np.linalg.norm(area_vectors(vertices, self.faces), axis=1)
        return np.bincount(self.face_part, areas, self.part_count)

    def samples(self, vertices: np.ndarray) -> np.ndarray:
        """Positions [P,3] of the samples for vertices [V,3]."""
        return self.to_samples @ vertices

    def sample_normals(self, vertices: np.ndarray) -> np.ndarray:
        """Unit normals [P,3] of the samples."""
        return unit(self.to_samples @ vertex_normals(vertices, self.faces).astype(np.float64))


@dataclass(frozen=True)
class Pairs:
    """Matches [M]: a sample of the moving mesh by row, the target point and normal [M,3], and a weight."""

    row: np.ndarray
    point: np.ndarray
    normal: np.ndarray
    weight: np.ndarray
    distance: np.ndarray


OUTLIER = 30.0  # times the median distance at which a pair's weight has fallen to a quarter


def _features(points: np.ndarray, normals: np.ndarray, weight: float, part: np.ndarray | None) -> np.ndarray:
    columns = [points, weight * normals]
    return np.concatenate(columns if part is None else [*columns, PARTS_APART * part[:, None]], axis=1)


def closest_pairs(points: np.ndarray, normals: np.ndarray, target: Target, part: np.ndarray | None = None) -> Pairs:
    """Nearest points both ways between samples [P,3] with unit normals and a target; both ways weigh 1 in total.

    ``part`` [P] is needed for a target with matched parts.

    Weights fall with the angle between the normals (0 from 90 degrees) and with distances far beyond the median.
    """
    own = _features(points, normals, target.normal_weight, None if target.matched is None else part)
    _, there = target.tree.query(own)
    asking = target.features()[: target.asked]
    _, back = tree_of(own).query(asking)
    row = np.concatenate([np.arange(len(points)), back])
    partner = np.concatenate([there, np.arange(target.asked)])
    distance = np.linalg.norm(points[row] - target.points[partner], axis=1)
    weight = (normals[row] * target.normals[partner]).sum(axis=1).clip(0, 1)
    weight *= (1 + (distance / (OUTLIER * np.median(distance) + 1e-9)) ** 2) ** -2.0
    weight /= np.concatenate([np.full(len(points), len(points)), np.full(target.asked, target.asked)])
    return Pairs(row, target.points[partner], target.normals[partner], weight, distance)
