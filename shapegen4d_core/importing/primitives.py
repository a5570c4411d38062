"""Primitives to triangles: positions, faces, morph targets, skin influences and what the material needs.

Specification: glTF 2.0, sections 3.7.2 (geometry and morph targets), 3.7.3.3 (skinned attributes) and 3.7.2.1
(topology types). Points and lines have no surface and are left out.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..errors import InputError
from .accessors import Accessors
from .fields import integer, items, part

_TRIANGLES, _STRIP, _FAN = 4, 5, 6
_MOST_SETS = 16  # JOINTS_n and WEIGHTS_n


@dataclass
class Surface:
    """The triangles of one primitive; ``joints`` and ``weights`` [V,K] only with skin attributes."""

    positions: np.ndarray  # [V,3] float32
    faces: np.ndarray  # [F,3] int32
    material: int | None
    targets: list[np.ndarray | None] = field(default_factory=list)  # M x [V,3]
    uv: dict[int, np.ndarray] = field(default_factory=dict)  # set to [V,2] float32
    colours: np.ndarray | None = None  # [V,3] uint8
    joints: np.ndarray | None = None
    weights: np.ndarray | None = None

    def morphed(self, weights: np.ndarray) -> np.ndarray:
        """Positions [V,3] float64 with the targets added by their ``weights`` [M]."""
        positions = self.positions.astype(np.float64)
        for weight, target in zip(weights, self.targets):
            if weight and target is not None:
                positions += weight * target
        return positions


def read_surface(accessors: Accessors, primitive: dict[str, Any], where: str) -> Surface | None:
    """One primitive; None for points and lines. Raises InputError for counts or indices that do not fit."""
    mode = integer(primitive, "mode", where, _TRIANGLES, most=_FAN)
    if "KHR_draco_mesh_compression" in part(primitive, "extensions", where):
        raise InputError("it is compressed with KHR_draco_mesh_compression, which is not read; save it without")
    attributes = part(primitive, "attributes", where)
    if mode < _TRIANGLES or "POSITION" not in attributes:
        return None
    positions = accessors.numbers(attributes["POSITION"], "VEC3", where)
    corners = _corners(accessors, primitive, len(positions), where)
    surface = Surface(positions, _triangles(corners, mode, where), _material(primitive, where))
    targets = items(primitive, "targets", where)
    surface.targets = [_target(accessors, target, len(positions), where) for target in targets]
    surface.colours = _colours(accessors, attributes, len(positions), where)
    for name, index in attributes.items():
        number = name.removeprefix("TEXCOORD_")
        if number != name and number.isascii() and number.isdigit() and len(number) < 4:
            values = accessors.numbers(index, "VEC2", where)
            surface.uv[int(number)] = _per_vertex(values, len(positions), name, where)
    surface.joints, surface.weights = _influences(accessors, attributes, len(positions), where)
    return surface


def _material(primitive: dict[str, Any], where: str) -> int | None:
    return integer(primitive, "material", where) if "material" in primitive else None


def _corners(accessors: Accessors, primitive: dict[str, Any], vertex_count: int, where: str) -> np.ndarray:
    if "indices" not in primitive:
        return np.arange(vertex_count, dtype=np.int32)
    corners = accessors.integers(primitive["indices"], "SCALAR", where)[:, 0]
    if len(corners) and int(corners.max()) >= vertex_count:
        raise InputError(f"{where} has the index {corners.max()}, but {vertex_count} vertices")
    return corners.astype(np.int32)


def _triangles(corners: np.ndarray, mode: int, where: str) -> np.ndarray:
    """Faces [F,3]; the collapsed triangles that join pieces of a strip are left out."""
    if mode == _TRIANGLES:
        if len(corners) % 3:
            raise InputError(f"{where} has {len(corners)} corners, which do not make whole triangles")
        return np.ascontiguousarray(corners.reshape(-1, 3))
    count = max(len(corners) - 2, 0)
    first = np.arange(count)
    if mode == _FAN:
        rows = np.stack([first + 1, first + 2, np.zeros_like(first)], axis=1)
    else:
        odd = first % 2
        rows = np.stack([first, first + 1 + odd, first + 2 - odd], axis=1)
    faces = corners[rows]
    whole = (faces[:, 0] != faces[:, 1]) & (faces[:, 1] != faces[:, 2]) & (faces[:, 2] != faces[:, 0])
    return np.ascontiguousarray(faces[whole])


def _target(accessors: Accessors, target: dict[str, Any], vertex_count: int, where: str) -> np.ndarray | None:
    if "POSITION" not in target:
        return None
    return _per_vertex(accessors.numbers(target["POSITION"], "VEC3", where), vertex_count, "a morph target", where)


def _colours(accessors: Accessors, attributes: dict[str, Any], vertex_count: int, where: str) -> np.ndarray | None:
    if "COLOR_0" not in attributes:
        return None
    values = _per_vertex(accessors.numbers(attributes["COLOR_0"], "VEC3 VEC4", where), vertex_count, "COLOR_0", where)
    return (values[:, :3].clip(0, 1) * 255).round().astype(np.uint8)


def _influences(
    accessors: Accessors, attributes: dict[str, Any], vertex_count: int, where: str
) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Joint numbers and weights [V,K] of all sets, the weights of each vertex scaled to the sum 1."""
    joints, weights = [], []
    for number in range(_MOST_SETS):
        names = (f"JOINTS_{number}", f"WEIGHTS_{number}")
        if not any(name in attributes for name in names):
            break
        if not all(name in attributes for name in names):
            raise InputError(f"{where} has only one of {names[0]} and {names[1]}")
        found = accessors.integers(attributes[names[0]], "VEC4", where)
        joints.append(_per_vertex(found, vertex_count, names[0], where).astype(np.int64))
        shares = accessors.numbers(attributes[names[1]], "VEC4", where)
        weights.append(_per_vertex(shares, vertex_count, names[1], where))
    if not joints:
        return None, None
    shares = np.concatenate(weights, axis=1).astype(np.float64)
    sums = shares.sum(axis=1, keepdims=True)
    if shares.size and (shares.min() < 0 or sums.min() <= 0):
        raise InputError(f"{where} has a negative skin weight, or a vertex (number {sums.argmin()}) with none")
    return np.concatenate(joints, axis=1), shares / sums


def _per_vertex(values: np.ndarray, vertex_count: int, name: str, where: str) -> np.ndarray:
    if len(values) != vertex_count:
        raise InputError(f"{name} of {where} has {len(values)} rows, but there are {vertex_count} vertices")
    return values
