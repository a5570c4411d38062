"""Reads a Wavefront OBJ as one mesh whose vertices keep their order.

Polygons become fans of triangles. Where a vertex has several texture coordinates, further vertices carry them, after
all others. Normals are read when every vertex has its own, under its own number, as our writer leaves them.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..errors import InputError
from ..progress import Check
from .material_file import picture_of
from .obj_text import ObjText, parse_obj
from .still import StillMesh, checked_faces, fans, file_bytes


def read_obj(path: Path, check: Check | None = None) -> StillMesh:
    """The mesh at ``path`` with its material's picture; raises InputError (without the path). ``check`` may cancel."""
    text = parse_obj(file_bytes(path), check)
    _check_numbers(text)
    triangles = fans(text.corner_counts) if len(text.corner_counts) else np.zeros((0, 3), np.int64)
    picture = picture_of(path.parent, text.libraries, text.materials, path.name)
    one_each = _paired(text.coordinates, text.corners, 1, len(text.positions))
    if one_each or not (text.corners[:, 1] >= 0).any():
        faces = checked_faces(text.corners[:, 0][triangles], len(text.positions), "it")
        normals = text.normals if _paired(text.normals, text.corners, 2, len(text.positions)) else None
        return StillMesh(text.positions, faces, text.coordinates if one_each else None, normals, picture)
    rows, numbers, vertices = _split(text)
    faces = checked_faces(vertices[triangles], len(rows), "it")
    table = np.concatenate([text.coordinates, np.zeros((1, 2), np.float32)])  # the last row is for "none", -1
    return StillMesh(text.positions[rows], faces, table[numbers], picture=picture, rows=rows)


def _paired(values: np.ndarray, corners: np.ndarray, column: int, position_count: int) -> bool:
    """Whether row n of ``values`` (what ``column`` of the corners counts) belongs to position n, for all of them."""
    same = len(values) == position_count > 0
    return same and bool((corners[:, column] == corners[:, 0]).all())


def _split(text: ObjText) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Position [V] and coordinate [V] of each vertex, and the vertex [C] of each corner.

    The first vertices are the positions in their order, each with one of its coordinates; then come those whose
    positions have further ones.
    """
    position_count, width = len(text.positions), len(text.coordinates) + 1
    pairs, vertex = np.unique(text.corners[:, 0] * width + text.corners[:, 1] + 1, return_inverse=True)
    position, coordinate = pairs // width, pairs % width - 1
    further = np.concatenate([[False], position[1:] == position[:-1]])
    place = position.copy()
    place[further] = position_count + np.arange(further.sum())
    numbers = np.full(position_count + int(further.sum()), -1, np.int64)
    numbers[place] = coordinate
    rows = np.concatenate([np.arange(position_count), position[further]])
    return rows, numbers, place[vertex.reshape(-1)]


def _check_numbers(text: ObjText) -> None:
    for column, values, what in ((0, text.positions, "vertex"), (1, text.coordinates, "texture coordinate")):
        highest = int(text.corners[:, column].max(initial=-1))
        if highest >= len(values):
            raise InputError(f"a face has the {what} {highest + 1}, but there are {len(values)}")
