"""Chamfer distance and F-score of two point clouds, from one search of nearest neighbours each way.

Lengths in half boxes. Both depend on how many points there are: never compare figures of different counts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

FAILED_CHAMFER = 2.0
"""What counts as the Chamfer distance to an empty cloud, in half boxes: one box side."""


def tree_of(points: np.ndarray) -> cKDTree:
    """A tree of points [P,3] for many searches; splitting at the middle is quicker to build and no slower to ask."""
    return cKDTree(points, balanced_tree=False, compact_nodes=False)


@dataclass(frozen=True)
class CloudDistances:
    """Distances [P] of every point of the first cloud to the second, and [Q] back; empty when either cloud is."""

    there: np.ndarray
    back: np.ndarray

    def chamfer(self) -> float:
        """Sum of both mean distances, neither squared nor halved (3DShape2VecSet); FAILED_CHAMFER when empty."""
        if len(self.there) == 0:
            return FAILED_CHAMFER
        return float(self.there.mean() + self.back.mean())

    def f_score(self, threshold: float) -> float:
        """Harmonic mean 0..1 of the shares of both clouds nearer than ``threshold`` (strictly) to the other."""
        if len(self.there) == 0:
            return 0.0
        precision, recall = (self.there < threshold).mean(), (self.back < threshold).mean()
        return float(2 * precision * recall / max(precision + recall, 1e-12))


def cloud_distances(
    first: np.ndarray, second: np.ndarray, first_tree: cKDTree | None = None, second_tree: cKDTree | None = None
) -> CloudDistances:
    """Nearest distances between points [P,3] and [Q,3], both ways; trees may be given when they exist."""
    if len(first) == 0 or len(second) == 0:
        return CloudDistances(np.zeros(0), np.zeros(0))
    there, _ = (second_tree or tree_of(second)).query(first)
    back, _ = (first_tree or tree_of(first)).query(second)
    return CloudDistances(there, back)


def chamfer_distance(first: np.ndarray, second: np.ndarray) -> float:
    """Sum of both mean nearest distances between points [P,3] and [Q,3], not squared (3DShape2VecSet's definition).

    An empty set is a failure and counts as FAILED_CHAMFER.
    """
    return cloud_distances(first, second).chamfer()
