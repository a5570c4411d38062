"""The similarity between pairs of points of which some are wrong: weighted Umeyama, reweighted until it settles.

A pair counts (s^2 / (s^2 + r^2))^2 times its own weight, r being its distance and s a scale that shrinks from round to
round (Geman-McClure in graduated form, Zhou et al. 2016), so that a fair start is found before pairs are dropped.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import InputError
from .similarity import Similarity, fit_similarity

ROUNDS = 60
SHRINK = 1.4  # of the scale from round to round
REACH = 2.0  # robust deviations at which a pair counts a quarter
AGREES = 0.25
"""Share from which a pair counts as one the fit explains."""
SETTLED = 1e-7


@dataclass(frozen=True)
class RobustFit:
    """A similarity, how much each pair counted in it (``share`` [P] 0..1), and its median distance in target units."""

    transform: Similarity
    share: np.ndarray
    median_distance: float

    @property
    def inliers(self) -> float:
        """Part 0..1 of the pairs that counted at least a quarter."""
        return float((self.share >= AGREES).mean())


def fit_robust_similarity(
    source: np.ndarray, target: np.ndarray, weights: np.ndarray | None = None, with_scale: bool = True
) -> RobustFit:
    """The similarity that takes most points [P,3] to their partners [P,3], whatever the rest do.

    ``weights`` [P] at least 0: how far each pair is to be trusted. Raises InputError for fewer than three pairs that
    count, and for numbers that are not finite.
    """
    source, target = np.asarray(source, dtype=np.float64), np.asarray(target, dtype=np.float64)
    weights = np.ones(len(source)) if weights is None else np.asarray(weights, dtype=np.float64)
    _check(source, target, weights)
    share, scale, floor = np.ones(len(source)), np.inf, 0.0
    transform = fit_similarity(source, target, with_scale, weights)
    for _ in range(ROUNDS):
        distance = np.linalg.norm(transform(source) - target, axis=1)
        floor = max(REACH * 1.4826 * _weighted_median(distance, weights), 1e-12)
        scale = max(floor, min(scale, float(distance.max())) / SHRINK)
        before, share = share, (scale**2 / (scale**2 + distance**2)) ** 2
        transform = fit_similarity(source, target, with_scale, weights * share)
        if scale == floor and np.abs(share - before).max() < SETTLED:
            break
    distance = np.linalg.norm(transform(source) - target, axis=1)
    return RobustFit(transform, share, _weighted_median(distance, weights))


def _weighted_median(values: np.ndarray, weights: np.ndarray) -> float:
    order = np.argsort(values)
    total = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(total, total[-1] / 2)])


def _check(source: np.ndarray, target: np.ndarray, weights: np.ndarray) -> None:
    if source.shape != target.shape or source.shape[1:] != (3,) or weights.shape != source.shape[:1]:
        raise InputError(
            f"Pairs of points must be [P,3] and [P,3] with weights [P]; given are {list(source.shape)}, "
            f"{list(target.shape)} and {list(weights.shape)}."
        )
    if not all(np.isfinite(values).all() for values in (source, target, weights)) or (weights < 0).any():
        raise InputError("Pairs of points and their weights must be finite, the weights at least 0.")
    if (weights > 0).sum() < 3:
        raise InputError(f"A similarity needs three pairs of points; {(weights > 0).sum()} of those given count.")
