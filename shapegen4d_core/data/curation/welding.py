"""Vertices that belong together although the file stores them apart, as at the seams of a texture."""

from __future__ import annotations

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

_SAME = 1e-5  # of the sequence's longest side


def weld(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """For every vertex of ``vertices [T,V,3]`` the first one that shares its place in every frame, int64 [V]."""
    extent = np.ptp(vertices.reshape(-1, 3), axis=0).max()
    rows = np.round(vertices.transpose(1, 0, 2).reshape(vertices.shape[1], -1) / max(_SAME * extent, 1e-30))
    _, first, group = np.unique(rows, axis=0, return_index=True, return_inverse=True)
    return first[group.reshape(-1)]


def parts(welded: np.ndarray) -> tuple[int, np.ndarray]:
    """Connected parts of welded faces [F,3]: how many, and the part [F] of every face."""
    count = int(welded.max(initial=-1)) + 1
    rows, columns = welded[:, [0, 1]].reshape(-1), welded[:, [1, 2]].reshape(-1)
    links = coo_array((np.ones(len(rows), bool), (rows, columns)), shape=(count, count))
    labels = connected_components(links, directed=False)[1]
    kept, of_face = np.unique(labels[welded[:, 0]], return_inverse=True)
    return len(kept), of_face
