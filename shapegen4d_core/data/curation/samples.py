"""What the autoencoder sees of one frame: surface and sharp-edge clouds with normals, and samples of the field.

Positions are rounded to float16 before the field is evaluated there, so that what is stored belongs together.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...geometry.closest_point import MeshTree
from ...geometry.mesh import area_vectors
from ...geometry.signed_distance import ClosedMesh
from .edges import EdgeList, even_places, sharp_places, unit
from .settings import CurationSettings

_PARALLEL = 0.7  # cosine from which the animated mesh's normal counts as that of the closed surface there


@dataclass
class FrameGeometry:
    """One frame: the animated mesh in the box, and the closed surface around it; ``reach`` is how far they differ."""

    vertices: np.ndarray
    faces: np.ndarray
    closed_vertices: np.ndarray
    closed_faces: np.ndarray
    reach: float

    def __post_init__(self) -> None:
        self.closed = ClosedMesh(self.closed_vertices, self.closed_faces)
        self.normals = unit(area_vectors(self.vertices, self.faces))
        self.tree = MeshTree(self.vertices, self.faces)

    def outer_normals(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Normals [P,3] of the closed surface nearest to points [P,3], and the distances [P] to it."""
        found = self.closed.tree.closest(points)
        return self.closed.normals[found.face], found.distance

    def side(self, normals: np.ndarray, outer: np.ndarray, distance: np.ndarray) -> np.ndarray:
        """Cosine [P] of the animated mesh's normals with the outer ones, 0 where they cannot be compared.

        That is in the middle of a thickened sheet, where either wall may be the nearest one.
        """
        return np.einsum("pi,pi->p", normals, outer) * (distance < self.reach / 3)

    def surface(self, count: int, rng: np.random.Generator) -> np.ndarray:
        """[count,6]: points on the closed surface, evenly by area, with the outward normals of the animated mesh.

        The animated mesh knows its normals better than marching cubes does; where its nearest face looks another
        way, the closed surface's own normal is kept.
        """
        points, own = even_places(self.closed_vertices, self.closed_faces, count, rng).on(
            self.closed_vertices.astype(np.float64), self.closed_faces
        )
        found = self.tree.closest(points, self.reach)
        given = self.normals[found.face]
        cosine = np.einsum("pi,pi->p", given, own)
        trusted = (found.face >= 0) & (np.abs(cosine) > _PARALLEL)
        normals = np.where(trusted[:, None], given * np.sign(cosine)[:, None], own)
        return np.concatenate([points, normals], axis=1)

    def sharp(
        self, edges: EdgeList, settings: CurationSettings, rng: np.random.Generator, spare: np.ndarray
    ) -> tuple[np.ndarray, float]:
        """[Ps,6]: points on the outer sharp edges of the animated mesh, and the share of them that was found.

        What is lacking, all of it on smooth shapes, comes from ``spare``, further surface points.
        """
        count = settings.sharp_points
        places = sharp_places(self.vertices, self.faces, edges, settings.sharp_degrees, 4 * count, rng)
        points, normals = places.on(self.vertices, self.faces)
        outer, distance = self.outer_normals(points)
        kept = np.flatnonzero(distance < self.reach)[:count]
        normals, outer = normals[kept], outer[kept]
        facing = np.where(self.side(normals, outer, distance[kept]) < 0, -1.0, 1.0)[:, None]
        flat = (normals == 0).all(axis=1, keepdims=True)
        rows = np.concatenate([points[kept], np.where(flat, outer, normals * facing)], axis=1)
        return np.concatenate([rows, spare[: count - len(rows)]]), len(rows) / max(count, 1)

    def field(self, points: np.ndarray, truncation: float) -> np.ndarray:
        """[P,4] float16: points and the field there, positive inside, truncated to [-1,1]."""
        points = points.astype(np.float16)
        value = self.closed.signed(points)[0] / truncation
        return np.concatenate([points, value.clip(-1, 1)[:, None].astype(np.float16)], axis=1)


def near_points(surface: np.ndarray, settings: CurationSettings, rng: np.random.Generator) -> np.ndarray:
    """Points [Pn,3] around a surface [P,6], each of the two deviations for half of them."""
    count = settings.near_points
    base = surface[rng.integers(0, len(surface), count), :3]
    deviation = np.where(np.arange(count) % 2 == 0, *settings.near_deviations)[:, None]
    return (base + rng.normal(size=(count, 3)) * deviation).clip(-settings.bounds, settings.bounds)
