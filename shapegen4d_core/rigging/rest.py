"""The places of the vertices at rest, for weights and motions that stay as they are."""

from __future__ import annotations

import numpy as np

from ..progress import Check
from .moments import vertex_blocks

_KEEP = 1e-6  # pull of the place before, per frame; decides where the blended motions leave it open


def improved_rest(
    rest: np.ndarray,
    weights: np.ndarray,
    products: np.ndarray,
    pulled: np.ndarray,
    most: int,
    frame_count: int,
    check: Check | None = None,
) -> np.ndarray:
    """Rest places [V,3] from which the blended motions come nearest to the frames, one 3 x 3 system per vertex.

    A frame of a skin is not a rest pose of it where motions are blended, so the places need fitting too. Arguments as
    in :func:`.influences.improved_weights`; ``frame_count`` T scales the pull towards the place before.
    """
    found = np.empty_like(rest)
    for rows in vertex_blocks(len(rest), check):
        found[rows] = _solved(rest[rows], weights[rows], products, pulled[rows], most, _KEEP * frame_count)
    return found


def _solved(
    rest: np.ndarray, weights: np.ndarray, products: np.ndarray, pulled: np.ndarray, most: int, keep: float
) -> np.ndarray:
    joints = np.argsort(-weights, axis=1, kind="stable")[:, :most]
    shares = np.take_along_axis(weights, joints, axis=1)
    rows = np.arange(len(rest))
    blended = np.zeros((len(rest), 3, 4))
    right = np.zeros((len(rest), 3))
    for first in range(joints.shape[1]):
        right += shares[:, first, None] * pulled[rows, joints[:, first], :3]
        for second in range(joints.shape[1]):
            both = shares[:, first] * shares[:, second]
            blended += both[:, None, None] * products[joints[:, first], joints[:, second], :3]
    right += keep * rest - blended[:, :, 3]
    return np.linalg.solve(blended[:, :, :3] + keep * np.eye(3), right[:, :, None])[:, :, 0]
