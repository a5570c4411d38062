"""The rigid motion of every joint in every frame, for weights and rest places that stay as they are."""

from __future__ import annotations

import numpy as np

from ..progress import Check

_KEEP = 1e-9  # pull of the rotation before, relative to the spread of a joint's vertices; decides what they leave open


def improved_motions(
    motions: np.ndarray, squares: np.ndarray, targets: np.ndarray, rounds: int = 5, check: Check | None = None
) -> np.ndarray:
    """Motions [T,J,3,4] (rotation and translation) after ``rounds`` of fitting one joint after the other.

    Each joint takes the rotation and translation, best in the sense of least squares, for what the others leave of the
    vertices (weighted absolute orientation, Le and Deng 2012, section 4.2). ``squares`` [4J,4J] and ``targets``
    [T,4J,3] are :func:`.moments.joint_sums`; the error never rises. A joint without weight keeps its motion.
    """
    motions = motions.copy()
    joint_count = motions.shape[1]
    for _ in range(rounds):
        for joint in range(joint_count):
            if check is not None:
                check()
            rows = slice(4 * joint, 4 * joint + 4)
            own = squares[rows, rows]
            if own[3, 3] <= 0:
                continue
            flat = motions.transpose(0, 2, 1, 3).reshape(len(motions), 3, -1)
            others = flat @ squares[:, rows] - motions[:, joint] @ own
            motions[:, joint] = _oriented(targets[:, rows].transpose(0, 2, 1) - others, own, motions[:, joint])
    return motions


def rigid_motions(rest: np.ndarray, weights: np.ndarray, placed: np.ndarray) -> np.ndarray:
    """The rigid motions [T,3,4] that take points [P,3] with ``weights`` [P] nearest to ``placed`` [T,P,3]."""
    places = np.concatenate([rest, np.ones((len(rest), 1))], axis=1)
    weighted = places * weights[:, None]
    still = np.broadcast_to(np.eye(3, 4), (len(placed), 3, 4))
    return _oriented(placed.transpose(0, 2, 1) @ weighted, weighted.T @ places, still)


def nearest_rigid(motions: np.ndarray) -> np.ndarray:
    """Motions [...,3,4] with the nearest rotations in place of what turned, stretched or sheared."""
    return np.concatenate([_nearest_rotation(motions[..., :3]), motions[..., 3:]], axis=-1)


def _oriented(wanted: np.ndarray, own: np.ndarray, before: np.ndarray) -> np.ndarray:
    """Rigid motions [T,3,4] nearest to Q = M Z, from Q Z^T [T,3,4] and Z Z^T [4,4]; faintly pulled to ``before``."""
    mass, centre = own[3, 3], own[:3, 3] / own[3, 3]
    spread = np.trace(own[:3, :3] - mass * np.outer(centre, centre))
    cross = wanted[:, :, :3] - wanted[:, :, 3:] * centre + _KEEP * max(spread, 1e-12 * mass) * before[:, :, :3]
    rotation = _nearest_rotation(cross)
    translation = wanted[:, :, 3] / mass - rotation @ centre
    return np.concatenate([rotation, translation[:, :, None]], axis=2)


def _nearest_rotation(matrices: np.ndarray) -> np.ndarray:
    """The proper rotations [...,3,3] with the largest inner product with ``matrices`` [...,3,3]."""
    left, _, right = np.linalg.svd(matrices)
    signs = np.ones(matrices.shape[:-1])
    signs[..., 2] = np.where(np.linalg.det(left @ right) < 0, -1.0, 1.0)
    return (left * signs[..., None, :]) @ right
