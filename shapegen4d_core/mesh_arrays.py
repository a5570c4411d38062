"""Checking, packing and unpacking the arrays of a mesh sequence (T frames, V vertices, F faces)."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from .errors import InputError
from .tensor_file import Rows


def same_topology(vertices: Sequence[np.ndarray], faces: Sequence[np.ndarray]) -> bool:
    """Whether all frames have as many vertices as the first one and the same faces."""
    if any(len(frame) != len(vertices[0]) for frame in vertices):
        return False
    return all(frame is faces[0] or np.array_equal(frame, faces[0]) for frame in faces)


def same_array(one: np.ndarray | None, other: np.ndarray | None) -> bool:
    """Whether both are None or hold the same values."""
    if one is None or other is None:
        return one is other
    return one is other or np.array_equal(one, other)


def share_faces(frames: Iterable[np.ndarray]) -> tuple[np.ndarray, ...]:
    """The same faces, as one array for frames in a row whose faces are equal."""
    shared: list[np.ndarray] = []
    for frame in frames:
        repeated = bool(shared) and (frame is shared[-1] or np.array_equal(frame, shared[-1]))
        shared.append(shared[-1] if repeated else frame)
    return tuple(shared)


def check_meshes(
    vertices: tuple[np.ndarray, ...],
    faces: tuple[np.ndarray, ...],
    normals: tuple[np.ndarray, ...] | None,
    uv: np.ndarray | None,
    texture: np.ndarray | None,
) -> None:
    """Check frame counts, dtypes, shapes, finiteness and face indices; raises InputError naming the frame."""
    if not vertices or len(vertices) != len(faces):
        raise InputError(
            f"MeshSequence has {len(vertices)} vertex arrays and {len(faces)} face arrays, "
            "accepted is one of each per frame and at least one frame."
        )
    for index, (points, triangles) in enumerate(zip(vertices, faces)):
        _check_array(f"MeshSequence.vertices[{index}]", points, np.float32, "[V,3]", 3)
        _check_array(f"MeshSequence.faces[{index}]", triangles, np.int32, "[F,3]", 3)
        if len(triangles) and (triangles.min() < 0 or triangles.max() >= len(points)):
            raise InputError(
                f"MeshSequence.faces[{index}] spans {triangles.min()}..{triangles.max()}, "
                f"but frame {index} has {len(points)} vertices."
            )
    if normals is not None:
        _check_normals(normals, vertices)
    _check_appearance(vertices, faces, uv, texture)


def _check_normals(normals: tuple[np.ndarray, ...], vertices: tuple[np.ndarray, ...]) -> None:
    for index, frame in enumerate(normals):
        _check_array(f"MeshSequence.normals[{index}]", frame, np.float32, "[V,3]", 3)
    if [len(frame) for frame in normals] != [len(frame) for frame in vertices]:
        raise InputError("MeshSequence.normals needs one normal per vertex in every frame.")


def _check_appearance(
    vertices: tuple[np.ndarray, ...],
    faces: tuple[np.ndarray, ...],
    uv: np.ndarray | None,
    texture: np.ndarray | None,
) -> None:
    if uv is not None:
        _check_array("MeshSequence.uv", uv, np.float32, "[V,2]", 2)
        if len(uv) != len(vertices[0]) or not same_topology(vertices, faces):
            raise InputError("MeshSequence.uv needs one row per vertex and the same topology in every frame.")
    if texture is None:
        return
    if uv is None:
        raise InputError("MeshSequence.texture was given without uv, accepted is both or neither.")
    valid = isinstance(texture, np.ndarray) and texture.dtype == np.uint8 and texture.ndim == 3
    if not valid or texture.size == 0 or texture.shape[2] not in (3, 4):
        raise InputError("MeshSequence.texture must be a filled uint8 array [H,W,3] or [H,W,4].")


def _check_array(name: str, array: Any, dtype: type, legend: str, columns: int) -> None:
    if not isinstance(array, np.ndarray) or array.dtype != dtype:
        given = array.dtype if isinstance(array, np.ndarray) else type(array).__name__
        raise InputError(f"{name} is {given}, accepted is a numpy array {legend} of {np.dtype(dtype)}.")
    if array.ndim != 2 or array.shape[1] != columns:
        raise InputError(f"{name} has shape {list(array.shape)}, accepted is {legend}.")
    if not np.isfinite(array).all():
        raise InputError(f"{name} has values that are not finite (NaN or infinity).")


def pack_meshes(
    vertices: tuple[np.ndarray, ...],
    faces: tuple[np.ndarray, ...],
    normals: tuple[np.ndarray, ...] | None,
    uv: np.ndarray | None,
    texture: np.ndarray | None,
) -> dict[str, np.ndarray | Rows]:
    """A sequence as few arrays: the rows of all frames in order, and the row counts per frame.

    One topology: ``face_counts`` has a single entry and ``faces`` is stored once.
    """
    fixed = same_topology(vertices, faces)
    stored = faces[:1] if fixed else faces
    arrays: dict[str, np.ndarray | Rows] = {
        "vertices": Rows(vertices),
        "vertex_counts": np.array([len(frame) for frame in vertices], np.int64),
        "faces": Rows(stored),
        "face_counts": np.array([len(frame) for frame in stored], np.int64),
    }
    if normals is not None:
        arrays["normals"] = Rows(normals)
    optional = {"uv": uv, "texture": texture}
    return arrays | {key: array for key, array in optional.items() if array is not None}


def unpack_meshes(path: str | os.PathLike, arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    """Undo :func:`pack_meshes`; shared faces come back as one object. Raises InputError naming ``path``."""
    missing = [key for key in ("vertices", "vertex_counts", "faces", "face_counts") if key not in arrays]
    if missing:
        raise InputError(f"{path} does not describe a MeshSequence: it lacks {', '.join(missing)}.")
    content = dict(arrays)
    vertex_counts, face_counts = content.pop("vertex_counts"), content.pop("face_counts")
    for key in ("vertices", "normals"):
        if key in content:
            content[key] = _split(path, key, content[key], vertex_counts)
    faces = _split(path, "faces", content["faces"], face_counts)
    shared = len(faces) == 1
    content["faces"] = faces * len(vertex_counts) if shared else faces
    return content


def _split(path: str | os.PathLike, key: str, rows: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, ...]:
    valid = counts.ndim == 1 and len(counts) > 0 and counts.dtype == np.int64 and counts.min() >= 0
    if not valid or rows.ndim == 0 or sum(counts.tolist()) != len(rows):
        raise InputError(f"{path} does not describe a MeshSequence: the row counts of {key} do not add up.")
    return tuple(np.split(rows, np.cumsum(counts)[:-1]))
