"""Vertices at one place in every frame: the two sides of a texture's seam."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..progress import Check


def coincident_vertices(frames: Sequence[np.ndarray], check: Check | None = None) -> np.ndarray:
    """Group number [V] from 0 of each vertex: two vertices share a group when they coincide in every frame [V,3]."""
    count = len(frames[0])
    groups = np.zeros(count, np.int64)
    candidates = np.arange(count)  # vertices that have coincided with another one so far
    for vertices in frames:
        if check is not None:
            check()
        if not len(candidates):
            break
        found = _split(vertices[candidates], groups[candidates])
        groups[candidates] = found
        alone = candidates[np.bincount(found)[found] == 1]
        groups[alone] = count + alone
        candidates = candidates[groups[candidates] < count]
    return np.unique(groups, return_inverse=True)[1]


def _split(points: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """``groups`` [K] cut up so that only equal ``points`` [K,3] stay together, numbered from 0."""
    order = np.lexsort((points[:, 2], points[:, 1], points[:, 0], groups))
    sorted_groups, sorted_points = groups[order], points[order]
    starts = np.ones(len(order), bool)
    moved = (sorted_points[1:] != sorted_points[:-1]).any(axis=1)
    starts[1:] = moved | (sorted_groups[1:] != sorted_groups[:-1])
    split = np.empty_like(groups)
    split[order] = np.cumsum(starts) - 1
    return split
