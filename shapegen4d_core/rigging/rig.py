"""A rig: a mesh at rest, joints that move rigidly, and the share each joint has in every vertex."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..errors import InputError
from ..sequence import MeshSequence
from .report import RigReport

_GRAIN = 2**23  # weights are whole multiples of 1 / 2^23, which float32 holds and adds up exactly


@dataclass(frozen=True, eq=False)
class Rig:
    """Linear blend skinning: frame t is the sum over k of weight k times (R p + t) of joint k, p the rest place.

    ``rest`` [V,3] float32; ``joints`` [V,K] int32 and ``weights`` [V,K] float32, at least 0, largest first, the sum
    exactly 1; ``rotations`` [T,J,3,3] and ``translations`` [T,J,3] float64 act in world space (lengths as in the
    sequence). Joint j turns about ``pivots`` [J,3], the mean place at rest of what it moves.
    """

    rest: np.ndarray  # [V,3]
    joints: np.ndarray  # [V,K]
    weights: np.ndarray  # [V,K]
    rotations: np.ndarray  # [T,J,3,3]
    translations: np.ndarray  # [T,J,3]
    report: RigReport

    @property
    def frame_count(self) -> int:
        """Number of frames T."""
        return len(self.rotations)

    @property
    def joint_count(self) -> int:
        """Number of joints J."""
        return self.rotations.shape[1]

    @property
    def pivots(self) -> np.ndarray:
        """Where each joint stands at rest [J,3]: the mean of the rest places, weighted by the joint's share."""
        sums = np.zeros((self.joint_count, 4))
        rows = np.concatenate([self.rest, np.ones((len(self.rest), 1))], axis=1)
        for k in range(self.joints.shape[1]):
            np.add.at(sums, self.joints[:, k], self.weights[:, k, None] * rows)
        return sums[:, :3] / np.maximum(sums[:, 3:], 1e-30)

    def vertices(self, frame: int) -> np.ndarray:
        """Vertices [V,3] float32 of one frame as the rig moves them."""
        moved = np.zeros((len(self.rest), 3))
        rest = self.rest.astype(np.float64)
        for k in range(self.joints.shape[1]):
            joint = self.joints[:, k]
            turned = np.einsum("vij,vj->vi", self.rotations[frame][joint], rest) + self.translations[frame][joint]
            moved += self.weights[:, k, None] * turned
        return moved.astype(np.float32)

    def sequence(self, meshes: MeshSequence) -> MeshSequence:
        """``meshes`` with every frame as the rig moves it, normals left out; raises InputError for other counts."""
        self.check_fits(meshes)
        moved = tuple(self.vertices(frame) for frame in range(self.frame_count))
        return replace(meshes, vertices=moved, normals=None)

    def check_fits(self, meshes: MeshSequence) -> None:
        """Raise InputError unless ``meshes`` has the rig's frames and vertices and one topology."""
        counts = (meshes.frame_count, len(meshes.vertices[0]))
        if counts != (self.frame_count, len(self.rest)) or not meshes.fixed_topology:
            raise InputError(
                f"The rig has {self.frame_count} frames of {len(self.rest)} vertices, but {meshes.name!r} has "
                f"{counts[0]} of {counts[1]}; give the sequence that it was fitted to."
            )


def grained(weights: np.ndarray, most: int) -> tuple[np.ndarray, np.ndarray]:
    """The largest ``most`` of dense weights [V,J]: joints [V,K] int32, weights [V,K] float32 whose sum is exactly 1."""
    joints = np.argsort(-weights, axis=1, kind="stable")[:, :most].astype(np.int32)
    shares = np.take_along_axis(weights, joints, axis=1)
    whole = np.floor(shares / shares.sum(axis=1, keepdims=True) * _GRAIN).astype(np.int64)
    whole[:, 0] += _GRAIN - whole.sum(axis=1)
    return joints, (whole / _GRAIN).astype(np.float32)
