"""Aiming a camera: pan, tilt and move it to or from a thing, so that points fall on the pixels that show them.

The side from which the thing is seen stays, and so does roll. A free pose (perspective-n-point) would change that too,
and with points that are off by a few percent of the thing's size it does so by several degrees: turning the thing a
little and shifting it back hardly moves its picture. P points, OpenCV axes (x right, y down, z forward).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import least_squares
from scipy.spatial.transform import Rotation

from ..errors import InputError

REACH = 2.0  # robust deviations beyond which pairs count less and less
STRAY = 4.0  # median distances from the middle of the points beyond which a point is none of the thing's
ROUNDS = 8
SETTLED = 1e-7


@dataclass(frozen=True)
class Aim:
    """R [3,3] and t [3] (``x_camera = R @ x + t``), and the median distance of points to their pixels, in pixels."""

    rotation: np.ndarray
    translation: np.ndarray
    median_pixels: float


def project(points: np.ndarray, intrinsics: np.ndarray) -> np.ndarray:
    """Pixels [P,2] (u to the right, v down) of points [P,3] in the camera; infinite for those behind it."""
    depth = np.where(points[:, 2:] > 0, points[:, 2:], np.nan)
    pixels = points[:, :2] / depth * np.diag(intrinsics)[:2] + intrinsics[:2, 2]
    return np.nan_to_num(pixels, nan=np.inf)


def aim_camera(
    points: np.ndarray,
    pixels: np.ndarray,
    intrinsics: np.ndarray,
    rotation: np.ndarray,
    translation: np.ndarray,
    weights: np.ndarray | None = None,
) -> tuple[Aim, Aim]:
    """The camera given, and the one panned, tilted and moved along the line to the points that fits best.

    points [P,3] with their pixels [P,2], intrinsics [3,3] without skew; wrong pairs count little (Cauchy loss), and
    each counts by its ``weights`` [P] at least 0. The second is the first again when nothing better is found. Raises
    InputError for fewer than four pairs.
    """
    if len(points) < 4 or len(points) != len(pixels):
        raise InputError(f"Aiming needs four points with their pixels; given are {len(points)} and {len(pixels)}.")
    in_view = points @ rotation.T + translation
    start = Aim(rotation, translation, _median_gap(in_view, pixels, intrinsics))
    centre = np.median(in_view, axis=0)
    distance = np.linalg.norm(in_view - centre, axis=1)
    kept = (in_view[:, 2] > 0) & (distance <= STRAY * np.median(distance))
    if kept.sum() < 4 or centre[2] <= 0:
        return start, start
    share = np.ones(len(points)) if weights is None else weights
    fit = _Fit(in_view[kept], pixels[kept], intrinsics, centre, share[kept])
    turn, shift = fit.moved(fit.solve())
    after = _median_gap(in_view @ turn.T + shift, pixels, intrinsics)
    if after > start.median_pixels:
        return start, start
    return start, Aim(turn @ rotation, turn @ translation + shift, after)


@dataclass(frozen=True)
class _Fit:
    """The three unknowns: pan and tilt in radians, and the logarithm of the distance's change."""

    in_view: np.ndarray
    pixels: np.ndarray
    intrinsics: np.ndarray
    centre: np.ndarray
    share: np.ndarray

    def moved(self, step: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        turn = Rotation.from_rotvec([*step[:2], 0.0]).as_matrix()
        return turn, turn @ (self.centre * np.expm1(step[2]))

    def gaps(self, step: np.ndarray) -> np.ndarray:
        turn, shift = self.moved(step)
        gap = project(self.in_view @ turn.T + shift, self.intrinsics) - self.pixels
        return np.nan_to_num(gap, posinf=1e6, neginf=-1e6)

    def solve(self) -> np.ndarray:
        """Least squares with a scale that follows the gaps from round to round."""
        root, step = np.sqrt(self.share / self.share.max())[:, None], np.zeros(3)
        for _ in range(ROUNDS):
            spread = max(REACH * 1.4826 * float(np.median(np.linalg.norm(self.gaps(step), axis=1))), 0.5)
            found = least_squares(
                lambda step: (self.gaps(step) * root).ravel(), step, loss="cauchy", f_scale=spread, max_nfev=30
            )
            step, before = found.x, step
            if np.abs(step - before).max() < SETTLED:
                break
        return step


def _median_gap(in_view: np.ndarray, pixels: np.ndarray, intrinsics: np.ndarray) -> float:
    return float(np.median(np.linalg.norm(project(in_view, intrinsics) - pixels, axis=1)))
