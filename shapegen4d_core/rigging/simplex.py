"""Least squares on the simplex, many small problems at once: weights that are not negative and sum to 1.

Minimises w^T G w / 2 - g^T w for each row by the primal active set method of Lawson and Hanson (1974, chapter 23),
with the sum as one more equation; all rows step together, each with joints of its own.
"""

from __future__ import annotations

import numpy as np

_TOLERANCE = 1e-12  # of the slope, relative to the diagonal of G
_RIDGE = 1e-13  # relative to the diagonal of G; joints that move alike would make the equations singular


def simplex_weights(squares: np.ndarray, targets: np.ndarray, start: np.ndarray | None = None) -> np.ndarray:
    """Weights [N,J] that minimise w^T G w / 2 - g^T w with w >= 0 and sum 1.

    ``squares`` G [N,J,J] symmetric and positive semi-definite, ``targets`` g [N,J]; ``start`` [N,J], feasible weights
    whose positive entries are tried first, saves steps. The result has the fewest joints the method needs, not all.
    """
    count, joint_count = targets.shape
    diagonal = np.einsum("njj->nj", squares)
    scale = np.maximum(np.abs(diagonal), np.abs(targets)).max(axis=1)
    scale = np.maximum(scale, 1e-300)  # of a vertex that no joint moves away from 0
    if start is None:
        start = np.zeros_like(targets)
        start[np.arange(count), (diagonal / 2 - targets).argmin(axis=1)] = 1.0
    weights, used = start.copy(), start > 0
    fresh = np.full(count, -1)  # the joint that was taken in last, which must not be thrown out at once
    running = np.arange(count)
    for _ in range(6 * joint_count + 20):
        if not len(running):
            break
        wanted, level = _equal(squares[running], targets[running], used[running], scale[running])
        now = weights[running]
        low = used[running] & (wanted <= 0)
        blocked = low.any(axis=1)
        rows, bad = running[blocked], low[blocked]
        step = np.full(bad.shape, np.inf)
        np.divide(now[blocked], now[blocked] - wanted[blocked], out=step, where=bad & (now[blocked] > 0))
        step[bad & (now[blocked] <= 0)] = 0.0
        share = step.min(axis=1, keepdims=True)
        moved = now[blocked] + np.minimum(share, 1.0) * (wanted[blocked] - now[blocked])
        gone = bad & (step <= share)
        moved[gone] = 0.0
        weights[rows], used[rows] = moved, used[rows] & ~gone
        rows = running[~blocked]
        weights[rows] = wanted[~blocked]
        slope = (squares[rows] @ weights[rows][:, :, None])[:, :, 0] - targets[rows] + level[~blocked, None]
        slope[used[rows]] = np.inf
        best = slope.argmin(axis=1)
        grows = slope[np.arange(len(rows)), best] < -_TOLERANCE * scale[rows]
        grows &= best != fresh[rows]
        used[rows[grows], best[grows]] = True
        fresh[rows[grows]] = best[grows]
        running = np.sort(np.concatenate([running[blocked], rows[grows]]))
    weights = np.maximum(weights, 0)
    return weights / weights.sum(axis=1, keepdims=True)


def _equal(
    squares: np.ndarray, targets: np.ndarray, used: np.ndarray, scale: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The minimum with sum 1 over the ``used`` joints alone, signs free: weights [N,J] and the sum's multiplier [N]."""
    size = int(used.sum(axis=1).max())
    order = np.argsort(~used, axis=1, kind="stable")[:, :size]  # the used joints first
    kept = np.take_along_axis(used, order, axis=1)
    rows = np.arange(len(used))[:, None]
    system = np.zeros((len(used), size + 1, size + 1))
    both = kept[:, :, None] & kept[:, None, :]
    system[:, :size, :size] = np.where(both, squares[rows[:, :, None], order[:, :, None], order[:, None, :]], 0.0)
    system[:, range(size), range(size)] += np.where(kept, _RIDGE * scale[:, None], scale[:, None])
    system[:, :size, size] = system[:, size, :size] = kept * scale[:, None]
    right = np.zeros((len(used), size + 1))
    right[:, :size] = np.where(kept, np.take_along_axis(targets, order, axis=1), 0.0)
    right[:, size] = scale
    found = np.linalg.solve(system, right[:, :, None])[:, :, 0]
    weights = np.zeros(used.shape)
    np.put_along_axis(weights, order, np.where(kept, found[:, :size], 0.0), axis=1)
    return weights, found[:, size] * scale
