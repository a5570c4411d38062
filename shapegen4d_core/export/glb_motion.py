"""The travel of an object taken out of its vertices, as keys of the root node."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from ..progress import Check
from ..sequence import MeshSequence
from .gltf_document import Document
from .key_times import key_times
from .quaternions import shorter_ways


@dataclass(frozen=True)
class Motion:
    """Where the root stands in each frame: ``translations`` [T,3], unit quaternions ``rotations`` [T,4] (x, y, z, w).

    Both float32, as they are stored: what is left in the vertices makes up for their rounding.
    """

    translations: np.ndarray  # [T,3]
    rotations: np.ndarray | None = None  # [T,4]

    def into_root(self, points: np.ndarray, frame: int) -> np.ndarray:
        """World positions [V,3] of a frame as the root sees them, float64."""
        moved = points.astype(np.float64) - self.translations[frame]
        return self.turned_into_root(moved, frame)

    def turned_into_root(self, vectors: np.ndarray, frame: int) -> np.ndarray:
        """World directions [V,3] of a frame as the root sees them."""
        if self.rotations is None:
            return vectors
        return Rotation.from_quat(self.rotations[frame].astype(np.float64)).apply(vectors, inverse=True)


def find_motion(sequence: MeshSequence, kind: str, check: Check | None = None) -> Motion | None:
    """The motion of a sequence: "none", "translation" (the mean of the vertices) or "rigid" (also the best rotation).

    "rigid" fits every frame to the first one in the sense of least squares (Kabsch 1976). An empty frame stays where
    the one before it was.
    """
    if kind == "none":
        return None
    translations = _means(sequence)
    if kind == "translation":
        return Motion(translations)
    rotations = np.empty((sequence.frame_count, 4), np.float32)
    rest = sequence.vertices[0].astype(np.float64) - translations[0]
    rotations[0] = (0, 0, 0, 1)
    for frame in range(1, sequence.frame_count):
        if check is not None:
            check()
        rotations[frame] = _best_rotation(rest, sequence.vertices[frame].astype(np.float64) - translations[frame])
    return Motion(translations, rotations)


def _means(sequence: MeshSequence) -> np.ndarray:
    means, standing = [], next(points for points in sequence.vertices if len(points)).mean(axis=0, dtype=np.float64)
    for points in sequence.vertices:
        standing = points.mean(axis=0, dtype=np.float64) if len(points) else standing
        means.append(standing)
    return np.array(means).astype(np.float32)


def _best_rotation(rest: np.ndarray, posed: np.ndarray) -> np.ndarray:
    """The quaternion [4] that turns ``rest`` [V,3] closest to ``posed`` [V,3], both around their means."""
    scale = max(np.abs(rest).max(), np.abs(posed).max(), np.finfo(np.float32).tiny)
    left, _, right = np.linalg.svd((posed / scale).T @ (rest / scale))
    left[:, 2] *= np.sign(np.linalg.det(left @ right)) or 1.0
    return Rotation.from_matrix(left @ right).as_quat()


def add_motion(
    document: Document, node: int, motion: Motion, played: Sequence[int], fps: float, interpolation: str
) -> None:
    """Move a node by the motion: at rest as in the first frame, keys as the frames are ``played``."""
    document.node(node)["translation"] = motion.translations[0].tolist()
    shown = list(played)
    times = document.spool.key_times(key_times(range(len(shown)), fps))
    keys = {"translation": motion.translations[shown]}
    if motion.rotations is not None:
        keys["rotation"] = shorter_ways(motion.rotations[shown])
    for path, values in keys.items():
        document.animate(node, path, times, document.spool.key_values(values), interpolation)
