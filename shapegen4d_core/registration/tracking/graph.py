"""A deformation graph: few nodes, spread along the surface, that carry all vertices with them (Sumner et al. 2007).

Which nodes carry a vertex is decided by distances along the surface, never through the air, so that two legs that
stand close stay two legs. V vertices, N nodes, K nodes per vertex.
"""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra

from ...geometry.arap import Arap
from ...geometry.laplacian import undirected_edges

CARRIERS = 4  # nodes that carry a vertex


class Graph:
    """Nodes chosen on a mesh [V,3], [F,3] and who carries whom; valid for every shape of that mesh.

    ``nodes`` [N] vertex numbers, ``edges`` [E,2] between nodes that share a vertex, ``carry`` [V,N] weights that sum
    to 1.
    """

    def __init__(self, vertices: np.ndarray, faces: np.ndarray, count: int) -> None:
        links = _lengths(vertices, faces)
        self.nodes = _spread(links, min(count, len(vertices)))
        self.carry = _carriers(links, self.nodes)
        shared = (self.carry.T @ self.carry).tocoo()
        rows, columns = shared.coords
        kept = (rows < columns) & (shared.data > 1e-3)
        self.edges = np.stack([rows[kept], columns[kept]], axis=1)
        self.weights = shared.data[kept] / shared.data[kept].mean()


class GraphBody:
    """The graph on one shape of the mesh [V,3] as an elastic body: what it carries starts exactly there."""

    def __init__(self, graph: Graph, shape: np.ndarray, to_samples: csr_array) -> None:
        start = shape[graph.nodes]
        self.arap = Arap(start, graph.edges, graph.weights)
        self.to_samples = (to_samples @ graph.carry).tocsr()
        entries = graph.carry.tocoo()
        vertex, node = entries.coords
        self._node, self._weight = node, entries.data
        self._apart = shape[vertex] - start[node]
        places = np.arange(len(node))
        self._gather = csr_array((entries.data, (vertex, places)), shape=(len(shape), len(node)))
        self._lift = (to_samples @ self._gather).tocsr()
        self._carry = graph.carry

    def offsets(self, rotations: np.ndarray) -> np.ndarray:
        """What rotations [N,3,3] of the nodes add to the samples [P,3]."""
        return self._lift @ self._turned(rotations)

    def vertices(self, nodes: np.ndarray) -> np.ndarray:
        """Vertices [V,3] carried by nodes [N,3]."""
        return self._carry @ nodes + self._gather @ self._turned(self.arap.rotations(nodes))

    def _turned(self, rotations: np.ndarray) -> np.ndarray:
        return (rotations[self._node] @ self._apart[:, :, None])[:, :, 0]


def _lengths(vertices: np.ndarray, faces: np.ndarray) -> csr_array:
    """Edge lengths as a symmetric sparse matrix [V,V]."""
    edges = undirected_edges(faces)
    length = np.maximum(np.linalg.norm(vertices[edges[:, 0]] - vertices[edges[:, 1]], axis=1), 1e-9)
    rows, columns = np.concatenate([edges, edges[:, ::-1]]).T
    return csr_array((np.tile(length, 2), (rows, columns)), shape=(len(vertices), len(vertices)))


def _spread(links: csr_array, count: int) -> np.ndarray:
    """Vertices [N] that lie far from each other along the surface, every loose part having at least one."""
    nearest = np.full(links.shape[0], np.inf)
    chosen = [0]
    while len(chosen) < count or np.isinf(nearest).any():
        reach = np.inf if np.isinf(nearest).any() else float(nearest.max())
        nearest = np.minimum(nearest, dijkstra(links, indices=chosen[-1], limit=reach))
        if nearest.max() == 0:
            break
        chosen.append(int(nearest.argmax()))
    return np.array(chosen)


def _carriers(links: csr_array, nodes: np.ndarray) -> csr_array:
    """Weights [V,N] of the CARRIERS nearest nodes, falling to 0 at the distance of the next one."""
    vertex_count, count = links.shape[0], len(nodes)
    distance = np.empty((count, vertex_count), np.float32)
    for start in range(0, count, 64):
        distance[start : start + 64] = dijkstra(links, indices=nodes[start : start + 64])
    near = min(CARRIERS + 1, count)
    order = np.argpartition(distance, near - 1, axis=0)[:near]
    gap = np.take_along_axis(distance, order, axis=0)
    order = np.take_along_axis(order, np.argsort(gap, axis=0), axis=0)
    gap = np.sort(gap, axis=0)
    limit = gap[-1] if near > CARRIERS else np.full(vertex_count, np.inf)
    with np.errstate(invalid="ignore"):
        weight = np.where(np.isfinite(limit), (1 - gap / np.maximum(limit, 1e-9)) ** 2, 1 / (1e-3 + gap) ** 2)
    weight = np.where(np.isfinite(gap), np.nan_to_num(weight) + 1e-9, 0.0).astype(np.float64)
    weight /= weight.sum(axis=0)
    columns = np.tile(np.arange(vertex_count), near)
    return csr_array((weight.reshape(-1), (columns, order.reshape(-1))), shape=(vertex_count, count))
