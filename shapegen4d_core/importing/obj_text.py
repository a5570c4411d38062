"""The statements of a Wavefront OBJ as arrays: positions, texture coordinates, normals, corners of polygons.

Source: the OBJ appendix of Wavefront's Advanced Visualizer manual. Curves, lines, points and groups are left out.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..errors import InputError
from ..progress import Check
from .still import checked_rows

_BLOCK = 1 << 16  # rows between two looks at whether to cancel
_PATTERNS = {  # 18 digits always fit 64 bits
    1: re.compile(rb"(?:-?\d{1,18} )*"),
    2: re.compile(rb"(?:-?\d{1,18}/-?\d{1,18} )*"),
    3: re.compile(rb"(?:-?\d{1,18}/-?\d{1,18}/-?\d{1,18} )*"),
}


@dataclass(frozen=True)
class ObjText:
    """What an OBJ says. ``corners`` [C,3] are numbers (from 0) of position, texture coordinate and normal, -1 for none;
    ``corner_counts`` [P] how many each polygon has."""

    positions: np.ndarray  # [V,3] float32
    coordinates: np.ndarray  # [N,2] float32
    normals: np.ndarray  # [M,3] float32
    corners: np.ndarray  # [C,3] int64
    corner_counts: np.ndarray  # [P] int64
    libraries: list[str]
    materials: list[str]


def parse_obj(content: bytes, check: Check | None = None) -> ObjText:
    """Take an OBJ apart; raises InputError (without the file's name) when it is damaged. ``check`` may cancel."""
    rows: dict[bytes, list[bytes]] = {b"v": [], b"vt": [], b"vn": []}
    faces: list[bytes] = []
    before: list[tuple[int, int, int]] = []  # positions, coordinates and normals known at each face
    names: dict[bytes, dict[str, None]] = {b"mtllib": {}, b"usemtl": {}}
    for number, line in enumerate(_lines(content)):
        if check is not None and number % _BLOCK == 0:
            check()
        key, _, rest = (line.lstrip() if line[:1] == b" " else line).partition(b" ")
        if key in rows:
            rows[key].append(rest)
        elif key == b"f":
            faces.append(rest.partition(b"#")[0])
            before.append((len(rows[b"v"]), len(rows[b"vt"]), len(rows[b"vn"])))
        elif key in names:
            names[key][rest.strip().decode("utf-8", "replace")] = None
    positions = _numbers(rows[b"v"], 3, "position", check)
    coordinates = _numbers(rows[b"vt"], 2, "texture coordinate", check)
    normals = _numbers(rows[b"vn"], 3, "normal", check)
    counts = np.array([len(face.split()) for face in faces], np.int64)
    if len(counts) and counts.min() < 3:
        raise InputError(f"a face has {counts.min()} corners, accepted are at least 3")
    corners = np.concatenate([_corners(block) for block in _blocks(faces, check)] or [np.zeros((0, 3), np.int64)])
    corners = _from_zero(corners, np.repeat(np.array(before, np.int64).reshape(-1, 3), counts, axis=0))
    return ObjText(positions, coordinates, normals, corners, counts, *map(list, names.values()))


def _lines(content: bytes) -> list[bytes]:
    content = content.removeprefix(codecs.BOM_UTF8)
    return content.replace(b"\\\r\n", b" ").replace(b"\\\n", b" ").replace(b"\t", b" ").splitlines()


def _blocks(rows: list[bytes], check: Check | None) -> Iterator[list[bytes]]:
    for start in range(0, len(rows), _BLOCK):
        if check is not None:
            check()
        yield rows[start : start + _BLOCK]


def _numbers(rows: list[bytes], columns: int, what: str, check: Check | None) -> np.ndarray:
    found = [np.zeros((0, columns), np.float32)]
    for block in _blocks(rows, check):
        if not all(row.strip() for row in block):
            raise InputError(f"a {what} is not {columns} numbers but an empty line")
        try:
            values = np.loadtxt(block, np.float64, comments=None, usecols=range(columns), ndmin=2, encoding="latin-1")
        except (ValueError, IndexError) as error:
            raise InputError(f"a {what} is not {columns} numbers ({str(error)[:80]})") from error
        found.append(checked_rows(values, columns, "it"))
    return np.concatenate(found)


def _corners(faces: list[bytes]) -> np.ndarray:
    """Numbers [C,3] as they are written (from 1, negative from the end), 0 for none."""
    text = b" ".join(faces) + b" "
    if b"  " in text or text[:1] == b" ":
        text = b" ".join(text.split()) + b" "
    text = text.replace(b"//", b"/0/")
    for columns, pattern in _PATTERNS.items():
        if pattern.fullmatch(text):
            found = np.fromstring(text.replace(b"/", b" "), np.int64, sep=" ").reshape(-1, columns)
            return np.pad(found, ((0, 0), (0, 3 - columns)))
    return np.array([_corner(token) for token in text.split()], np.int64).reshape(-1, 3)


def _corner(token: bytes) -> list[int]:
    """One corner where a file writes its corners in several ways."""
    parts = token.split(b"/")
    if len(parts) > 3 or not re.fullmatch(rb"-?\d{1,18}(/(-?\d{1,18})?){0,2}", token):
        raise InputError(f"a face has the corner {token.decode('latin-1')!r:.60}, which is no set of numbers")
    return [int(part or 0) for part in parts] + [0] * (3 - len(parts))


def _from_zero(corners: np.ndarray, known: np.ndarray) -> np.ndarray:
    if (corners[:, 0] == 0).any():
        raise InputError("a face has the vertex 0, but vertices count from 1")
    found = np.where(corners > 0, corners - 1, np.where(corners < 0, known + corners, -1))
    if (found[corners < 0] < 0).any():
        raise InputError("a face counts back to before the first vertex")
    return found
