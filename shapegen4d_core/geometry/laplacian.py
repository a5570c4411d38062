"""Laplacians of triangle meshes as sparse matrices, and the areas that belong to vertices.

V vertices [V,3], F faces [F,3], E undirected edges [E,2]. All Laplacians here are positive semi-definite: the sum of
the weights on the diagonal, minus each weight off it (libigl's and PyTorch3D's have the other sign).
"""

from __future__ import annotations

import numpy as np
from scipy.sparse import coo_array, csr_array, diags_array


def undirected_edges(faces: np.ndarray) -> np.ndarray:
    """Edges int64 [E,2] of faces [F,3], lower index first, each once, sorted."""
    ends = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]).astype(np.int64)
    return np.unique(np.sort(ends, axis=1), axis=0)


def laplacian(edges: np.ndarray, weights: np.ndarray, vertex_count: int) -> csr_array:
    """Laplacian float64 [V,V] of weighted undirected edges [E,2], [E]."""
    rows, columns = np.concatenate([edges, edges[:, ::-1]]).T
    twice = np.concatenate([weights, weights])
    joined = coo_array((twice, (rows, columns)), shape=(vertex_count, vertex_count)).tocsr()
    return (diags_array(np.asarray(joined.sum(axis=1)).ravel()) - joined).tocsr()


def combinatorial_laplacian(faces: np.ndarray, vertex_count: int) -> csr_array:
    """Laplacian float64 [V,V] with weight 1 on every edge: the degree on the diagonal, -1 off it."""
    edges = undirected_edges(faces)
    return laplacian(edges, np.ones(len(edges)), vertex_count)


def corner_cotangents(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Cotangents float64 [F,3] of the angle at each corner; 0 for a face without area."""
    corners = np.asarray(vertices, dtype=np.float64)[faces]
    result = np.zeros(faces.shape)
    for corner in range(3):
        a = corners[:, (corner + 1) % 3] - corners[:, corner]
        b = corners[:, (corner + 2) % 3] - corners[:, corner]
        sine = np.linalg.norm(np.cross(a, b), axis=1)
        np.divide((a * b).sum(axis=1), sine, out=result[:, corner], where=sine > 0)
    return result


def cotangent_weights(vertices: np.ndarray, faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Edges int64 [E,2] and their weights float64 [E], half the sum of the cotangents opposite to each.

    Weights are negative where the opposite angles add up to more than 180 degrees (Pinkall and Polthier 1993).
    """
    half = corner_cotangents(vertices, faces) / 2
    ends = np.concatenate([faces[:, [1, 2]], faces[:, [2, 0]], faces[:, [0, 1]]]).astype(np.int64)
    edges, which = np.unique(np.sort(ends, axis=1), axis=0, return_inverse=True)
    return edges, np.bincount(which.reshape(-1), half.T.reshape(-1), len(edges))


def cotangent_laplacian(vertices: np.ndarray, faces: np.ndarray) -> csr_array:
    """Laplacian float64 [V,V] with cotangent weights; scale-free."""
    edges, weights = cotangent_weights(vertices, faces)
    return laplacian(edges, weights, len(vertices))


def voronoi_areas(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Area float64 [V] of the part of the surface nearest to each vertex; their sum is the mesh's area.

    Obtuse faces give half of their area to the obtuse corner and a quarter to the others (Meyer et al. 2003).
    """
    corners = np.asarray(vertices, dtype=np.float64)[faces]
    cotangents = corner_cotangents(vertices, faces)
    area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1) / 2
    opposite = ((corners - np.roll(corners, -1, axis=1)) ** 2).sum(axis=2)[:, [1, 2, 0]]  # squared side by corner
    product = opposite * cotangents / 8
    share = product.sum(axis=1, keepdims=True) - product  # the sides that meet in a corner, by what lies opposite
    blunt = cotangents < 0
    obtuse = blunt.any(axis=1)
    share[obtuse] = area[obtuse, None] * np.where(blunt[obtuse], 0.5, 0.25)
    return np.bincount(faces.reshape(-1), share.reshape(-1), len(vertices))
