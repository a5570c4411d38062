"""Iterated closest points: similarity from trimmed pairs in both directions, and translations alone.

Pairs are searched in both clouds, because pairs from one side only make the moving cloud shrink.
"""

from __future__ import annotations

import numpy as np

from .distances import tree_of
from .similarity import Similarity, fit_similarity

SETTLED = 1e-5  # half boxes; a translation that moves less has arrived


class CloudPair:
    """A moving cloud [P,3] and a fixed one [Q,3] with a search tree each; similarities keep the trees valid."""

    def __init__(self, moving: np.ndarray, fixed: np.ndarray):
        self.moving, self.fixed = moving, fixed
        self.moving_tree, self.fixed_tree = tree_of(moving), tree_of(fixed)

    def pairs(self, transform: Similarity, kept: float = 1.0) -> tuple[np.ndarray, np.ndarray, float]:
        """Closest pairs (moving [N,3] untransformed, fixed [N,3]) of both directions, the nearest share ``kept``
        of each, and the sum of both mean distances of these.
        """
        there, fixed_row = self.fixed_tree.query(transform(self.moving))
        back, moving_row = self.moving_tree.query(transform.inverse()(self.fixed))
        first, second = _nearest(there, kept), _nearest(back, kept)
        moving = np.concatenate([self.moving[first], self.moving[moving_row[second]]])
        fixed = np.concatenate([self.fixed[fixed_row[first]], self.fixed[second]])
        return moving, fixed, float(there[first].mean() + transform.scale * back[second].mean())

    def chamfer(self, transform: Similarity) -> float:
        """Sum of both mean nearest distances in the fixed cloud's units."""
        return self.pairs(transform)[2]


def _nearest(distances: np.ndarray, kept: float) -> np.ndarray:
    count = max(1, round(kept * len(distances)))
    return np.argpartition(distances, count - 1)[:count] if count < len(distances) else np.arange(len(distances))


def similarity_icp(
    pair: CloudPair, start: Similarity, iterations: int = 50, kept: float = 0.9, tolerance: float = 1e-5
) -> Similarity:
    """The similarity after at most ``iterations`` rounds of trimmed closest points from ``start``.

    Stops when the trimmed distance changes by less than ``tolerance`` of itself; returns the best of all rounds.
    """
    transform, best, least, last = start, start, np.inf, np.inf
    for _ in range(iterations + 1):
        moving, fixed, distance = pair.pairs(transform, kept)
        if distance < least:
            best, least = transform, distance
        if abs(last - distance) <= tolerance * distance:
            break
        last = distance
        transform = fit_similarity(moving, fixed)
    return best


def translation_icp(
    moving: np.ndarray, fixed: np.ndarray, starts: list[np.ndarray], iterations: int = 10, kept: float = 0.9
) -> np.ndarray:
    """The translation [3] of a cloud [P,3] onto another [Q,3] by trimmed centroid matching, from the best start."""
    pair = CloudPair(moving, fixed)
    offset = min(starts, key=lambda shift: pair.pairs(Similarity(translation=shift), kept)[2])
    best, least = offset, np.inf
    for _ in range(iterations + 1):
        from_points, to_points, distance = pair.pairs(Similarity(translation=offset), kept)
        if distance < least:
            best, least = offset, distance
        before, offset = offset, (to_points - from_points).mean(axis=0)
        if np.linalg.norm(offset - before) < SETTLED:
            break
    return best

