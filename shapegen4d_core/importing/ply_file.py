"""Reads a PLY (binary or text) as one mesh: positions, polygons as fans, normals, coordinates and picture of a texture.

Texture coordinates are the vertex properties s and t, u and v, or texture_u and texture_v; those of faces are left
out with a warning.
"""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np

from ..errors import InputError
from ..progress import Check
from .ply_header import parse_header
from .ply_rows import Columns, Lists, read_elements
from .still import StillMesh, beside, checked_faces, checked_rows, fans, file_bytes

_COORDINATES = (("s", "t"), ("u", "v"), ("texture_u", "texture_v"))


def read_ply(path: Path, check: Check | None = None) -> StillMesh:
    """The mesh at ``path`` with the picture it names; raises InputError (without the path). ``check`` may cancel."""
    content = file_bytes(path)
    header = parse_header(content)
    elements = read_elements(content, header, check)
    vertex = elements.get("vertex", {})
    vertices = _rows(vertex, "x", "y", "z")
    if vertices is None:
        raise InputError("its vertices have no x, y and z")
    normals = _rows(vertex, "nx", "ny", "nz")
    uv = next((rows for names in _COORDINATES if (rows := _rows(vertex, *names)) is not None), None)
    faces = _faces(elements, len(vertices))
    if uv is None and "texcoord" in elements.get("face", {}):
        warnings.warn(f"{path.name} has texture coordinates per face; it is read without them.", stacklevel=2)
    picture = None
    if uv is not None and len(header.pictures) == 1:
        picture = beside(path.parent, header.pictures[0], path.name)
    return StillMesh(vertices, faces, uv, normals, picture)


def _rows(columns: Columns, *names: str) -> np.ndarray | None:
    found = [columns.get(name) for name in names]
    if any(column is None or isinstance(column, Lists) for column in found):
        return None
    return checked_rows(np.stack(found, axis=1), len(names), "it")


def _faces(elements: dict[str, Columns], vertex_count: int) -> np.ndarray:
    columns = elements.get("face", {})
    corners = columns.get("vertex_indices", columns.get("vertex_index"))
    if "tristrips" in elements:
        raise InputError("its faces are triangle strips, which are not read; save it with a list of faces")
    if corners is None and "face" not in elements:
        return np.zeros((0, 3), np.int32)
    if not isinstance(corners, Lists):
        raise InputError("its faces have no list vertex_indices")
    if len(corners.lengths) and corners.lengths.min() < 3:
        raise InputError(f"a face has {corners.lengths.min()} corners, accepted are at least 3")
    if not len(corners.lengths):
        return np.zeros((0, 3), np.int32)
    return checked_faces(_whole(corners.items)[fans(corners.lengths)], vertex_count, "it")


def _whole(items: np.ndarray) -> np.ndarray:
    """Corner numbers as int64, also from text, which has only floats."""
    with np.errstate(invalid="ignore"):
        numbers = items.astype(np.int64)
    if items.dtype.kind == "f" and not (numbers == items).all():
        raise InputError("a face has a corner that is not a whole number")
    return numbers
