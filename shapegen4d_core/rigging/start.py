"""A beginning for the fit: vertices in clusters that move rigidly, one joint each.

Clusters are split where the error is (Linde, Buzo and Gray 1980, as Le and Deng 2014 use it) and settled by moving
every vertex to the joint that carries it best, until there are as many as wanted.
"""

from __future__ import annotations

import numpy as np

from ..progress import Check
from .influences import joint_errors
from .joints import improved_motions, rigid_motions
from .moments import Frames, homogeneous, joint_sums, motion_products, pulls

_SETTLE = 4  # rounds of moving vertices between clusters after each split
_SEED_SHARE = 0.1  # of a cluster's vertices that the motion of a new joint is taken from
_FEWEST = 4  # vertices that fix a rotation
_NOTHING = 1e-12  # squared error per vertex and frame, of the diagonal: there is nothing left to split


def clustered_motions(
    frames: Frames, rest: np.ndarray, joint_count: int, random: np.random.Generator, check: Check | None = None
) -> np.ndarray:
    """Motions [T,J,3,4] of at most ``joint_count`` rigid clusters of the vertices; ``rest`` [V,3] is one frame."""
    clusters = _Clusters(frames, rest, check)
    while clusters.count < joint_count:
        errors = clusters.errors()
        if errors.mean() < _NOTHING * frames.frame_count:
            break
        added = clusters.split(errors, joint_count - clusters.count, random)
        if added == 0:
            break
        for _ in range(_SETTLE):
            clusters.settle()
    return clusters.motions


class _Clusters:
    """Which joint carries each vertex (``labels`` [V]) and how the joints move (``motions`` [T,J,3,4])."""

    def __init__(self, frames: Frames, rest: np.ndarray, check: Check | None) -> None:
        self._frames, self._rest, self._check = frames, rest, check
        self.labels = np.zeros(len(rest), np.int64)
        self.motions = np.tile(np.eye(3, 4), (frames.frame_count, 1, 1, 1))
        self._squares = sum((frames[frame] ** 2).sum(axis=1) for frame in range(frames.frame_count))
        self.settle()

    @property
    def count(self) -> int:
        """Number of joints so far."""
        return self.motions.shape[1]

    def settle(self) -> None:
        """Fit every joint to its vertices, then give every vertex to the joint that carries it best."""
        hard = np.zeros((len(self.labels), self.count))
        hard[np.arange(len(self.labels)), self.labels] = 1
        sums = joint_sums(self._frames, self._rest, hard, self._check)
        self.motions = improved_motions(self.motions, *sums, rounds=1, check=self._check)
        self._assign()

    def errors(self) -> np.ndarray:
        """Squared error [V] of every vertex, summed over frames."""
        return np.maximum(self._squares + self._costs[np.arange(len(self.labels)), self.labels], 0)

    def split(self, errors: np.ndarray, most: int, random: np.random.Generator) -> int:
        """Begin a joint in up to ``most`` of the clusters with most error; return how many were begun."""
        totals = np.bincount(self.labels, errors, self.count)
        begun = []
        for cluster in np.argsort(-totals, kind="stable")[: min(most, self.count)]:
            members = np.flatnonzero(self.labels == cluster)
            if len(members) >= 2 * _FEWEST and totals[cluster] > 0:
                begun.append(self._begun(members, errors[members], random))
        if begun:
            self.motions = np.concatenate([self.motions, np.stack(begun, axis=1)], axis=1)
            self._assign()
        return len(begun)

    def _begun(self, members: np.ndarray, errors: np.ndarray, random: np.random.Generator) -> np.ndarray:
        """The motion [T,3,4] of some neighbouring ``members``, around one drawn by its error."""
        places = self._rest[members]
        centre = places[random.choice(len(members), p=errors / errors.sum())]
        count = max(_FEWEST, round(_SEED_SHARE * len(members)))
        near = members[np.argsort(((places - centre) ** 2).sum(axis=1), kind="stable")[:count]]
        placed = np.stack([self._frames[frame][near] for frame in range(self._frames.frame_count)])
        return rigid_motions(self._rest[near], np.ones(count), placed)

    def _assign(self) -> None:
        products, pulled = motion_products(self.motions), pulls(self._frames, self.motions, self._check)
        self._costs = joint_errors(homogeneous(self._rest), products, pulled)
        self.labels = self._costs.argmin(axis=1)
