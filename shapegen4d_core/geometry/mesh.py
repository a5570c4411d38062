"""Measures of triangle meshes: normals, enclosed volume, area, closedness, components.

V vertices [V,3], F faces [F,3] of vertex indices, counter-clockwise seen from outside. Lengths in half boxes.
Everything is topological by index: two vertices at one place are two vertices.
"""

from __future__ import annotations

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components


def area_vectors(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Outward normals of faces times their area: float64 [F,3] in half boxes squared."""
    corners = vertices.astype(np.float64)[faces]
    return np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]) / 2


def vertex_normals(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Unit normals float32 [V,3], the mean of the adjoining faces weighted by area.

    A vertex without faces, or whose faces cancel out, points along +y.
    """
    vectors = area_vectors(vertices, faces)
    sums = np.empty((len(vertices), 3))
    for axis in range(3):
        weights = np.repeat(vectors[:, axis], 3)
        sums[:, axis] = np.bincount(faces.reshape(-1), weights, minlength=len(vertices))
    lengths = np.linalg.norm(sums, axis=1, keepdims=True)
    unit = np.divide(sums, lengths, out=np.zeros_like(sums), where=lengths > 0)
    unit[lengths[:, 0] == 0] = (0.0, 1.0, 0.0)
    return unit.astype(np.float32)


def face_volumes(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Signed volumes float64 [F] of the tetrahedra between each face and the origin, in half boxes cubed."""
    corners = vertices.astype(np.float64)[faces]
    return np.einsum("fi,fi->f", corners[:, 0], np.cross(corners[:, 1], corners[:, 2])) / 6


def enclosed_volume(vertices: np.ndarray, faces: np.ndarray) -> float:
    """Volume inside a closed mesh, positive when its faces look outward, in half boxes cubed."""
    return float(face_volumes(vertices, faces).sum())


def edge_uses(faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Uses of each undirected edge: how many faces [E], and forward minus backward directions [E]."""
    start = faces.reshape(-1).astype(np.int64)
    stop = np.roll(faces, -1, axis=1).reshape(-1).astype(np.int64)
    low, high = np.minimum(start, stop), np.maximum(start, stop)
    key = low * (int(faces.max(initial=0)) + 1) + high
    order = np.argsort(key, kind="stable")
    key, direction = key[order], np.where(start < stop, 1, -1)[order]
    first = np.flatnonzero(np.r_[True, key[1:] != key[:-1]]) if len(key) else np.zeros(0, np.int64)
    counts = np.diff(np.r_[first, len(key)])
    return counts, np.add.reduceat(direction, first) if len(key) else counts


def is_closed(faces: np.ndarray) -> bool:
    """Whether every edge is used as often forward as backward: no hole, one orientation (also when empty)."""
    return not edge_uses(faces)[1].any()


def is_edge_manifold(faces: np.ndarray) -> bool:
    """Whether every edge has exactly two faces, one each way (so the mesh is closed too)."""
    counts, balance = edge_uses(faces)
    return bool((counts == 2).all() and not balance.any())


def components(faces: np.ndarray, vertex_count: int) -> tuple[int, np.ndarray]:
    """Connected components over shared vertices: how many, and the component [F] of each face."""
    if len(faces) == 0:
        return 0, np.zeros(0, np.int64)
    rows, columns = faces[:, [0, 1]].reshape(-1), faces[:, [1, 2]].reshape(-1)
    links = coo_array((np.ones(len(rows), bool), (rows, columns)), shape=(vertex_count, vertex_count))
    _, labels = connected_components(links, directed=False)
    kept, of_face = np.unique(labels[faces[:, 0]], return_inverse=True)
    return len(kept), of_face


def drop_unused_vertices(vertices: np.ndarray, faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The same mesh without vertices that no face uses, order kept."""
    used = np.zeros(len(vertices), bool)
    used[faces] = True
    number = np.cumsum(used) - 1
    return vertices[used], number[faces].astype(faces.dtype)
