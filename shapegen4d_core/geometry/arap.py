"""As rigid as possible: how far a deformed mesh is from being moved rigidly piece by piece (Sorkine and Alexa 2007).

The energy is sum over vertices i and their neighbours j of w_ij |(x_i - x_j) - R_i (p_i - p_j)|^2 with the rotations
R_i that make it least (the "spokes" form): zero for every rigid motion, whichever way it turns. N nodes are the
vertices of a mesh or the nodes of any graph.

Alone it lets a surface fold like paper: a pleat costs its creases only, since either side is moved rigidly. With
``smoothness`` each rotation is also drawn towards its neighbours' (after Levi and Gotsman 2015), and pleats open.
"""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array

from .laplacian import cotangent_weights, laplacian
from .linear_solver import Factored

LEAST_WEIGHT = 0.05  # a negative or vanishing cotangent weight would let edges flip at no cost
SWEEPS = 4  # over all nodes, each with the rotations of its neighbours from the one before


class Arap:
    """The energy of nodes with the rest positions ``rest`` [N,3] and undirected ``edges`` [E,2], ``weights`` [E].

    ``smoothness`` is the weight of the neighbours' mean rotation against a node's own edges, 0 for none.
    """

    def __init__(self, rest: np.ndarray, edges: np.ndarray, weights: np.ndarray, smoothness: float = 0.0) -> None:
        self.rest = np.asarray(rest, dtype=np.float64)
        self.start, self.stop = np.concatenate([edges, edges[:, ::-1]]).T
        self.weights = np.concatenate([weights, weights]).astype(np.float64)
        count, places = len(self.rest), np.arange(len(self.start))
        self.gather = csr_array((np.ones(len(places)), (self.start, places)), shape=(count, len(places)))
        self.laplacian = laplacian(edges, weights, count)
        self.rest_edges = self.rest[self.start] - self.rest[self.stop]
        size = self.gather @ (self.weights * (self.rest_edges**2).sum(axis=1))
        degree = np.maximum(self.gather @ np.ones(len(places)), 1)
        self._drawn = smoothness * size / degree

    @classmethod
    def of_mesh(
        cls, vertices: np.ndarray, faces: np.ndarray, least: float | None = LEAST_WEIGHT, smoothness: float = 0.0
    ) -> Arap:
        """The energy of a mesh [V,3], [F,3] with cotangent weights, none below ``least`` (None leaves them)."""
        edges, weights = cotangent_weights(vertices, faces)
        return cls(vertices, edges, weights if least is None else np.maximum(weights, least), smoothness)

    def rotations(self, positions: np.ndarray) -> np.ndarray:
        """The rotation [N,3,3] of each node that takes its rest edges nearest to those of ``positions`` [N,3].

        With smoothness also near to the rotations of its neighbours.
        """
        edges = positions[self.start] - positions[self.stop]
        products = (self.weights[:, None] * edges)[:, :, None] * self.rest_edges[:, None, :]
        own = self.gather @ products.reshape(-1, 9)
        turns = nearest_rotations(own.reshape(-1, 3, 3))
        for _ in range(SWEEPS if self._drawn.any() else 0):
            around = self.gather @ turns[self.stop].reshape(-1, 9)
            turns = nearest_rotations((own + self._drawn[:, None] * around).reshape(-1, 3, 3))
        return turns

    def energy(self, positions: np.ndarray, rotations: np.ndarray | None = None) -> float:
        """The energy of ``positions`` [N,3], with the best rotations when none are given."""
        turns = self.rotations(positions) if rotations is None else rotations
        edges = positions[self.start] - positions[self.stop]
        wanted = (turns[self.start] @ self.rest_edges[:, :, None])[:, :, 0]
        return float((self.weights * ((edges - wanted) ** 2).sum(axis=1)).sum())

    def pull(self, rotations: np.ndarray) -> np.ndarray:
        """The right-hand side [N,3] of ``laplacian @ x = pull``, whose solution is best for fixed ``rotations``."""
        mean = (rotations[self.start] + rotations[self.stop]) / 2
        wanted = (mean @ self.rest_edges[:, :, None])[:, :, 0]
        return self.gather @ (self.weights[:, None] * wanted)


class Blend:
    """Several energies of the same nodes, each with a share of the whole; steps like one :class:`Arap`."""

    def __init__(self, parts: list[tuple[Arap, float]]) -> None:
        self.parts = parts
        self.laplacian = sum(share * part.laplacian for part, share in parts)

    def rotations(self, positions: np.ndarray) -> list[np.ndarray]:
        """The rotations [N,3,3] of every part for ``positions`` [N,3]."""
        return [part.rotations(positions) for part, _ in self.parts]

    def pull(self, rotations: list[np.ndarray]) -> np.ndarray:
        """The right-hand side [N,3] for fixed rotations of every part."""
        return sum(share * part.pull(turns) for (part, share), turns in zip(self.parts, rotations))


def nearest_rotations(matrices: np.ndarray) -> np.ndarray:
    """The proper rotations [N,3,3] nearest to matrices [N,3,3], by the singular value decomposition."""
    left, _, right = np.linalg.svd(matrices)
    left[:, :, 2] *= np.sign(np.linalg.det(left @ right))[:, None]
    return left @ right


def solve_with_handles(
    arap: Arap, handles: np.ndarray, places: np.ndarray, iterations: int = 100, start: np.ndarray | None = None
) -> np.ndarray:
    """Positions [N,3] of least energy with the nodes ``handles`` [H] held at ``places`` [H,3].

    Alternates rotations and positions ``iterations`` times from ``start`` (the rest shape when None).
    """
    count = len(arap.rest)
    free = np.setdiff1d(np.arange(count), handles)
    positions = (arap.rest if start is None else start).astype(np.float64, copy=True)
    positions[handles] = places
    inner = arap.laplacian[free][:, free]
    fixed = arap.laplacian[free][:, handles] @ places
    factored = Factored(inner)
    for _ in range(iterations):
        positions[free] = factored.solve(arap.pull(arap.rotations(positions))[free] - fixed)
    return positions
