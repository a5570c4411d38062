"""Similarity transforms (scale, rotation, translation) and how they are fitted to pairs of points."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np


@dataclass(frozen=True)
class Similarity:
    """``x -> scale * rotation @ x + translation`` for points as rows [P,3]."""

    scale: float = 1.0
    rotation: np.ndarray = field(default_factory=lambda: np.eye(3))
    translation: np.ndarray = field(default_factory=lambda: np.zeros(3))

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """Points [P,3] after the transform."""
        return self.scale * (points @ self.rotation.T) + self.translation

    def inverse(self) -> Similarity:
        """The transform back."""
        turn = self.rotation.T
        return Similarity(1 / self.scale, turn, -(turn @ self.translation) / self.scale)

    def shifted(self, offset: np.ndarray) -> Similarity:
        """This transform followed by a translation [3]."""
        return replace(self, translation=self.translation + offset)


def fit_similarity(
    source: np.ndarray, target: np.ndarray, with_scale: bool = True, weights: np.ndarray | None = None
) -> Similarity:
    """The similarity that takes points [P,3] to their partners [P,3] with the least squared error.

    Proper rotations only (Umeyama 1991); the scale is 1 when it is not wanted. ``weights`` [P] at least 0 say how much
    each pair counts, all alike when None.
    """
    source_centre = np.average(source, axis=0, weights=weights)
    target_centre = np.average(target, axis=0, weights=weights)
    from_centre, to_centre = source - source_centre, target - target_centre
    weighted = from_centre if weights is None else from_centre * weights[:, None]
    left, strength, right = np.linalg.svd(to_centre.T @ weighted)
    signs = np.array([1.0, 1.0, np.sign(np.linalg.det(left @ right))])
    rotation = (left * signs) @ right
    scale = float(strength @ signs) / max(float((weighted * from_centre).sum()), 1e-30) if with_scale else 1.0
    return Similarity(scale, rotation, target_centre - scale * rotation @ source_centre)


def azimuth_rotation(degrees: float) -> np.ndarray:
    """Rotation [3,3] about +y that takes +z towards +x."""
    cosine, sine = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([[cosine, 0.0, sine], [0.0, 1.0, 0.0], [-sine, 0.0, cosine]])
