"""The node graph of a scene: checked for cycles, and its world matrices for one pose.

Specification: glTF 2.0, section 3.5. Matrices are for column vectors; rotations are quaternions (x, y, z, w).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import InputError
from .container import Gltf
from .fields import indices, integer, items, numbers

NODE_LIMIT = 200_000


class Nodes:
    """All nodes of a file and those of the scene shown (its default scene, else the first, else all roots).

    ``translation`` [N,3], ``rotation`` [N,4] and ``scale`` [N,3] float64 are the pose at rest, ``fixed`` [N] marks
    nodes with a matrix, ``shown`` lists the scene's nodes parents first. Raises InputError for a graph that is none.
    """

    def __init__(self, gltf: Gltf) -> None:
        self.entries = items(gltf.json, "nodes", "the file")
        count = len(self.entries)
        if count > NODE_LIMIT:
            raise InputError(f"it has {count} nodes, at most {NODE_LIMIT} are read")
        self.parents = self._parents()
        self._levels = self._by_depth()
        self.shown = self._shown(gltf)
        named = [(entry, f"node {index}") for index, entry in enumerate(self.entries)]
        self.translation = _table([numbers(node, "translation", name, [0, 0, 0], 3) for node, name in named], 3)
        self.rotation = _table([numbers(node, "rotation", name, [0, 0, 0, 1], 4) for node, name in named], 4)
        self.scale = _table([numbers(node, "scale", name, [1, 1, 1], 3) for node, name in named], 3)
        self.fixed = np.array(["matrix" in node for node in self.entries], bool)
        held = [numbers(node, "matrix", name, [], 16) for node, name in named if "matrix" in node]
        self._matrices = _table(held, 16).reshape(-1, 4, 4).transpose(0, 2, 1)

    def world(self, translation: np.ndarray, rotation: np.ndarray, scale: np.ndarray) -> np.ndarray:
        """World matrices [N,4,4] float64 of all nodes in the pose given."""
        world = local_matrices(translation, rotation, scale)
        world[self.fixed] = self._matrices
        for level in self._levels[1:]:
            world[level] = world[self.parents[level]] @ world[level]
        return world

    def chain(self, node: int) -> list[int]:
        """The nodes from a root down to ``node``."""
        chain = [node]
        while self.parents[chain[-1]] >= 0:
            chain.append(int(self.parents[chain[-1]]))
        return chain[::-1]

    def world_along(
        self, chain: list[int], translation: np.ndarray, rotation: np.ndarray, scale: np.ndarray
    ) -> dict[int, np.ndarray]:
        """World matrices [4,4] by node of a ``chain`` of D nodes alone, in the pose given for these [D,3|4]."""
        matrices, world = local_matrices(translation, rotation, scale, chain), {}
        above = np.eye(4)
        for node, matrix in zip(chain, matrices):
            held = self._matrices[np.count_nonzero(self.fixed[:node])] if self.fixed[node] else matrix
            world[node] = above = above @ held
        return world

    def _parents(self) -> np.ndarray:
        parents = np.full(len(self.entries), -1, np.int64)
        for index, node in enumerate(self.entries):
            for child in indices(node, "children", f"node {index}"):
                if child >= len(self.entries):
                    raise InputError(f"node {index} has the child {child}, but there are {len(self.entries)} nodes")
                if parents[child] >= 0:
                    raise InputError(f"node {child} has two parents, nodes {parents[child]} and {index}")
                parents[child] = index
        return parents

    def _by_depth(self) -> list[np.ndarray]:
        """Nodes by their distance from a root; a node on a cycle is at none."""
        levels = [np.flatnonzero(self.parents < 0)]
        reached = len(levels[0])
        while len(levels[-1]):
            children = [child for index in levels[-1] for child in self.entries[index].get("children", [])]
            levels.append(np.array(children, np.int64))
            reached += len(children)
        if reached < len(self.entries):
            raise InputError("its node graph has a cycle")
        return levels[:-1]

    def _shown(self, gltf: Gltf) -> list[int]:
        scenes = items(gltf.json, "scenes", "the file")
        waiting = np.flatnonzero(self.parents < 0).tolist()
        if scenes or "scene" in gltf.json:
            index = integer(gltf.json, "scene", "the file", 0)
            waiting = list(indices(gltf.entry("scenes", index, "the file"), "nodes", f"scene {index}"))
        waiting.reverse()
        found: dict[int, None] = {}
        while waiting:
            index = waiting.pop()
            if index >= len(self.entries) or index in found:
                raise InputError(f"the scene lists node {index} twice, or there is no such node")
            found[index] = None
            waiting += reversed(self.entries[index].get("children", []))
        return list(found)


def local_matrices(
    translation: np.ndarray, rotation: np.ndarray, scale: np.ndarray, nodes: Sequence[int] | None = None
) -> np.ndarray:
    """Matrices [N,4,4] that scale, then rotate by quaternions of any length but 0, then translate.

    ``nodes`` are the numbers of the N rows, for the message (0 to N - 1 when None). Raises InputError.
    """
    length = np.linalg.norm(rotation, axis=1, keepdims=True)
    if (length == 0).any():
        row = int(np.argmin(length))
        raise InputError(f"node {row if nodes is None else nodes[row]} has a rotation of length 0")
    x, y, z, w = (rotation / length).T
    matrices = np.zeros((len(rotation), 4, 4))
    matrices[:, 0, :3] = np.stack([1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)], axis=1)
    matrices[:, 1, :3] = np.stack([2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)], axis=1)
    matrices[:, 2, :3] = np.stack([2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)], axis=1)
    matrices[:, :3, :3] *= scale[:, None, :]
    matrices[:, :3, 3] = translation
    matrices[:, 3, 3] = 1
    return matrices


def _table(rows: list[Any], width: int) -> np.ndarray:
    return np.stack(rows) if rows else np.zeros((0, width))
