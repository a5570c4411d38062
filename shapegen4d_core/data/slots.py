"""Slots: a fixed order of latents for small models, from anchors in space that query points are matched to.

The paper's latents are an unordered set whose only link to the shape is the query point. A small denoiser learns
faster when slot ``i`` always means the same region: the aligned points of a clip are matched to ``N`` fixed anchors,
balanced so that every anchor gets equally many, by their mean position over time (so the order is one per clip).
"""

from __future__ import annotations

import numpy as np
from scipy.cluster.vq import kmeans2
from scipy.optimize import linear_sum_assignment


def fit_anchors(aligned: np.ndarray, count: int, seed: int = 0) -> np.ndarray:
    """Anchor positions [count,3], mirror symmetric in x, from aligned points [clips,T,Q,6]; ``count`` is even."""
    means = aligned[..., :3].astype(np.float64).mean(axis=1).reshape(-1, 3)
    means[:, 0] = np.abs(means[:, 0])
    rng = np.random.default_rng(seed)
    means = means[rng.permutation(len(means))[:20_000]]
    half, _ = kmeans2(means, count // 2, minit="++", seed=rng)
    return np.concatenate([half, half * np.array([-1.0, 1.0, 1.0])])


def assign_slots(aligned: np.ndarray, anchors: np.ndarray) -> np.ndarray:
    """Rows [N,K] of one clip's aligned points [T,Q,6] for each anchor, the most central row of each slot first."""
    means = aligned[..., :3].astype(np.float64).mean(axis=0)
    share = len(means) // len(anchors)
    cost = ((means[:, None] - anchors[None]) ** 2).sum(-1)
    rows, columns = linear_sum_assignment(np.repeat(cost, share, axis=1))
    owners = np.empty(len(means), dtype=np.int64)
    owners[rows] = columns // share
    slots = np.empty((len(anchors), share), dtype=np.int64)
    for i in range(len(anchors)):
        mine = np.flatnonzero(owners == i)
        spread = ((means[mine] - means[mine].mean(0)) ** 2).sum(1)
        slots[i] = mine[np.argsort(spread, kind="stable")]
    return slots


def mirror_slots(slots: np.ndarray) -> np.ndarray:
    """The slots of the x-mirrored clip: symmetric anchors change places pairwise."""
    half = slots.shape[-2] // 2
    return np.concatenate([slots[..., half:, :], slots[..., :half, :]], axis=-2)
