"""Gauss-Newton steps of an elastic surface towards paired points.

Least squares of two terms: distances of samples to their partners (a share along the partner's normal only, the rest
in every direction) and ``stiffness`` times the as-rigid-as-possible energy. Rotations are fixed during a solve; the
system couples x, y and z through the normals, so it is solved by conjugate gradients, preconditioned by a matrix that
does not couple them and is factored once for several steps. N nodes, P samples, M pairs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy.sparse import csr_array, diags_array, eye_array

from ...geometry.arap import Arap
from ...geometry.linear_solver import Factored
from .surface import Pairs

SOLVED = 1e-2  # of the first residual; the pairs change after every step, so more is wasted
CONJUGATE_STEPS = 12
KEEP_FACTORS = 4  # steps one preconditioner is used for


class Body(Protocol):
    """Something elastic: its energy, the matrix [P,N] from nodes to samples, and what rotations add to samples."""

    arap: Arap
    to_samples: csr_array

    def offsets(self, rotations: np.ndarray) -> np.ndarray | float:
        """What samples [P,3] are away from ``to_samples @ nodes`` for rotations [N,3,3]."""


@dataclass(frozen=True)
class _Quadratic:
    """Sum over samples y of y A y / 2 - b y: A [P,3,3], b [P,3], and the mean diagonal of A [P]."""

    blocks: np.ndarray
    right: np.ndarray
    diagonal: np.ndarray

    @classmethod
    def of(cls, pairs: Pairs, sample_count: int, plane: float) -> _Quadratic:
        outer = plane * pairs.normal[:, :, None] * pairs.normal[:, None, :] + (1 - plane) * np.eye(3)
        blocks = pairs.weight[:, None, None] * outer
        places = np.arange(len(pairs.row))
        gather = csr_array((np.ones(len(places)), (pairs.row, places)), shape=(sample_count, len(places)))
        right = (blocks @ pairs.point[:, :, None])[:, :, 0]
        diagonal = (gather @ pairs.weight) * (1 - plane * 2 / 3)
        return cls((gather @ blocks.reshape(-1, 9)).reshape(-1, 3, 3), gather @ right, diagonal)

    def apply(self, samples: np.ndarray) -> np.ndarray:
        return (self.blocks @ samples[:, :, None])[:, :, 0]


class Stepper:
    """Steps of one body [N nodes]; keeps its preconditioner from step to step."""

    def __init__(self, body: Body, plane: float) -> None:
        self.body, self.plane = body, plane
        self._transposed = body.to_samples.T.tocsr()
        self._factored: Factored | None = None
        self._age = 0

    def step(self, nodes: np.ndarray, pairs: Pairs, stiffness: float, rounds: int = 1) -> np.ndarray:
        """Nodes [N,3] after ``rounds`` alternations of rotations and positions for the same pairs."""
        body = self.body
        quadratic = _Quadratic.of(pairs, body.to_samples.shape[0], self.plane)
        self._refresh(quadratic, stiffness)
        for _ in range(rounds):
            turns = body.arap.rotations(nodes)
            right = quadratic.right - quadratic.apply(np.broadcast_to(body.offsets(turns), quadratic.right.shape))
            wanted = self._transposed @ right + stiffness * body.arap.pull(turns)
            nodes = self._solve(nodes, wanted, quadratic, stiffness)
        return nodes

    def _refresh(self, quadratic: _Quadratic, stiffness: float) -> None:
        if self._factored is None or self._age == KEEP_FACTORS:
            weighted = diags_array(quadratic.diagonal) @ self.body.to_samples
            tiny = 1e-9 * eye_array(self.body.to_samples.shape[1])
            self._factored = Factored(stiffness * self.body.arap.laplacian + self._transposed @ weighted + tiny)
            self._age = 0
        self._age += 1

    def _solve(self, nodes: np.ndarray, wanted: np.ndarray, quadratic: _Quadratic, stiffness: float) -> np.ndarray:
        def system(x: np.ndarray) -> np.ndarray:
            pulled = self._transposed @ quadratic.apply(self.body.to_samples @ x)
            return stiffness * (self.body.arap.laplacian @ x) + pulled

        residual = wanted - system(nodes)
        direction = towards = self._factored.solve(residual)
        strength = first = float((residual * towards).sum())
        for _ in range(CONJUGATE_STEPS):
            if strength <= SOLVED**2 * first or strength <= 0:
                break
            image = system(direction)
            size = strength / float((direction * image).sum())
            nodes, residual = nodes + size * direction, residual - size * image
            towards = self._factored.solve(residual)
            before, strength = strength, float((residual * towards).sum())
            direction = towards + strength / before * direction
        return nodes
