"""One mesh as a file has it, before it becomes a frame of a sequence, and the checks that all such files share."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..errors import InputError
from .materials import decode_picture

BYTES_LIMIT = 2**31  # of one file


@dataclass(frozen=True)
class StillMesh:
    """One mesh: vertices [V,3] float32, faces [F,3] int32, and per vertex uv [V,2] (bottom left) and normals [V,3].

    ``picture`` is the file of its texture, beside the mesh; ``rows`` [V] are the numbers the vertices have in the
    file, None where they are 0..V-1 (the seams of a texture make further vertices, after all others).
    """

    vertices: np.ndarray
    faces: np.ndarray
    uv: np.ndarray | None = None
    normals: np.ndarray | None = None
    picture: Path | None = None
    texture: np.ndarray | None = None
    rows: np.ndarray | None = None

    def painted(self) -> StillMesh:
        """The same with its picture decoded to ``texture`` [H,W,3|4]; raises InputError when it is damaged."""
        if self.picture is None or self.uv is None:
            return self
        return replace(self, texture=decode_picture(file_bytes(self.picture), f"the picture {self.picture.name}"))


def file_bytes(path: Path) -> bytes:
    """The content of ``path``; raises InputError when it cannot be read or is larger than 2 GiB."""
    try:
        if path.stat().st_size > BYTES_LIMIT:
            raise InputError(f"{path.name} has more than {BYTES_LIMIT >> 30} GiB, the most that is read")
        return path.read_bytes()
    except (OSError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path.name} cannot be read ({str(error)[:80]})") from error


def checked_faces(corners: np.ndarray, vertex_count: int, where: str) -> np.ndarray:
    """Corner numbers [F,3], any integers, as int32; raises InputError when one is no vertex."""
    if len(corners) and (corners.min() < 0 or corners.max() >= vertex_count):
        raise InputError(
            f"{where} has a face with the vertex {int(corners.min())}..{int(corners.max())} (from 0), "
            f"but {vertex_count} vertices"
        )
    return np.ascontiguousarray(corners.reshape(-1, 3), np.int32)


def checked_rows(values: np.ndarray, columns: int, where: str) -> np.ndarray:
    """Numbers [N,columns] as float32; raises InputError when one is not finite or too large for float32."""
    with np.errstate(over="ignore", invalid="ignore"):
        rows = np.ascontiguousarray(values.reshape(-1, columns), np.float32)
    if not np.isfinite(rows).all():
        raise InputError(f"{where} has coordinates that are not finite or too large for 32 bits")
    return rows


def fans(corner_counts: np.ndarray) -> np.ndarray:
    """Triangles [F,3] of polygons as fans from their first corner, as numbers in the list of all corners.

    ``corner_counts`` [P] are the corners of each polygon, at least 3.
    """
    starts = np.concatenate([[0], np.cumsum(corner_counts)[:-1]]).astype(np.int64)
    per_polygon = corner_counts - 2
    first = np.repeat(starts, per_polygon)
    step = np.arange(len(first)) - np.repeat(np.cumsum(per_polygon) - per_polygon, per_polygon)
    return np.stack([first, first + step + 1, first + step + 2], axis=1)


def beside(folder: Path, name: str, said_by: str) -> Path | None:
    """The file ``name`` that the file ``said_by`` refers to, in ``folder`` or below it.

    Anything that lies elsewhere, or does not exist, is not followed: one warning and None.
    """
    unix = name.replace("\\", "/")
    try:
        path = (folder / unix).resolve()
        if path.is_relative_to(folder.resolve()) and path.is_file():
            return path
    except (OSError, ValueError, RuntimeError):
        pass  # a name no system accepts: as good as missing
    warnings.warn(
        f"{said_by} names the file {name!r:.80}, which is not in its folder; it is read without it.", stacklevel=2
    )
    return None
