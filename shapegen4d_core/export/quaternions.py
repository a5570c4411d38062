"""Rotations as the keys of an animation: unit quaternions (x, y, z, w)."""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation


def quaternions(turns: np.ndarray) -> np.ndarray:
    """Unit quaternions [K,4] float64 of rotations [K,3,3], each on the shorter way from the one before."""
    return shorter_ways(Rotation.from_matrix(turns).as_quat())


def shorter_ways(keys: np.ndarray) -> np.ndarray:
    """The same rotations [K,4] by quaternions that are nearer to the one before than their opposites.

    Programs that blend number by number would otherwise turn the long way round.
    """
    signs = np.where((keys[1:] * keys[:-1]).sum(axis=1) < 0, -1, 1).astype(keys.dtype)
    return np.concatenate([keys[:1], keys[1:] * np.cumprod(signs, dtype=keys.dtype)[:, None]])
