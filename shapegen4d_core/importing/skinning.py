"""Linear blend skinning: every vertex moves by the weighted mean of its joints' matrices.

Specification: glTF 2.0, section 3.7.3. A joint's matrix is its world matrix times its inverse bind matrix; the
transform of the node that carries the mesh does not count.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.sparse import csr_matrix

from ..errors import InputError
from .accessors import Accessors
from .fields import indices, integer
from .nodes import Nodes
from .primitives import Surface


class Skin:
    """The joints [J] (nodes) of a skin and their inverse bind matrices [J,4,4] float64."""

    def __init__(self, accessors: Accessors, nodes: Nodes, entry: dict[str, Any], where: str) -> None:
        joints = indices(entry, "joints", where)
        if not joints or max(joints) >= len(nodes.entries):
            raise InputError(f"{where} has no joints, or one that is not a node")
        self.joints = np.array(joints, np.int64)
        self.inverse = np.broadcast_to(np.eye(4), (len(joints), 4, 4))
        if "inverseBindMatrices" in entry:
            rows = accessors.numbers(entry["inverseBindMatrices"], "MAT4", where)
            if len(rows) < len(joints):
                raise InputError(f"{where} has {len(joints)} joints, but {len(rows)} inverse bind matrices")
            self.inverse = rows[: len(joints)].reshape(-1, 4, 4).transpose(0, 2, 1).astype(np.float64)
        self.root = _root(nodes, joints, integer(entry, "skeleton", where) if "skeleton" in entry else -1)

    def matrices(self, world: np.ndarray) -> np.ndarray:
        """What each joint does to a vertex in one frame, [J,4,4]; ``world`` [N,4,4] are the nodes' matrices."""
        return world[self.joints] @ self.inverse


class Influence:
    """The weights of one surface as a sparse matrix [V,J], built once for all frames."""

    def __init__(self, surface: Surface, joint_count: int, where: str) -> None:
        joints, weights = surface.joints, surface.weights
        assert joints is not None and weights is not None
        if joints.size and int(joints[weights > 0].max(initial=0)) >= joint_count:
            raise InputError(f"{where} names joint {joints[weights > 0].max()}, but its skin has {joint_count}")
        rows = np.repeat(np.arange(len(joints)), joints.shape[1])
        kept = weights.reshape(-1) > 0
        entries = (weights.reshape(-1)[kept], (rows[kept], joints.reshape(-1)[kept]))
        self._weights = csr_matrix(entries, shape=(len(joints), joint_count))

    def blend(self, positions: np.ndarray, matrices: np.ndarray) -> np.ndarray:
        """World positions [V,3] of ``positions`` [V,3] moved by joint ``matrices`` [J,4,4]."""
        blended = (self._weights @ matrices[:, :3].reshape(len(matrices), 12)).reshape(-1, 3, 4)
        return np.einsum("vij,vj->vi", blended[:, :, :3], positions) + blended[:, :, 3]


def _root(nodes: Nodes, joints: list[int], skeleton: int) -> int:
    """The node of the skeleton's root: the one the skin names if it is a joint, else the topmost with most below."""
    members = set(joints)
    if skeleton in members:
        return skeleton
    below: dict[int, int] = {}
    for joint in joints:
        top, node = joint, int(nodes.parents[joint])
        while node >= 0:
            top = node if node in members else top
            node = int(nodes.parents[node])
        below[top] = below.get(top, 0) + 1
    return max(below, key=lambda node: below[node])
