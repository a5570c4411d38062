"""Reads files that hold one mesh: OBJ and PLY by readers of our own, which keep every vertex in its place and refuse
files that end early, OFF and STL through trimesh, GLB and glTF when nothing moves in them."""

from __future__ import annotations

import io
import os
from pathlib import Path

import numpy as np

from ..errors import InputError
from ..progress import Check
from ..sequence import MeshSequence
from .container import open_gltf
from .load import load_sequence
from .obj_file import read_obj
from .ply_file import read_ply
from .still import StillMesh, checked_faces, checked_rows, file_bytes

STILLS = (".obj", ".ply", ".off", ".stl")
GLTF = (".glb", ".gltf")
STILL_FPS = 24.0  # of files that do not say how fast they play
_TRIMESH_ERRORS = (
    ImportError,  # of a package that would guess at the encoding of text that is none
    ValueError, KeyError, IndexError, TypeError, AttributeError, OSError, NotImplementedError, ArithmeticError,
    MemoryError,
)  # fmt: skip


def read_mesh_file(path: str | os.PathLike, *, check: Check | None = None) -> MeshSequence:
    """The mesh at ``path`` (obj, ply, off, stl) as a sequence of one frame, with its texture; raises InputError."""
    path = Path(path)
    still = read_still(path, check).painted()
    return MeshSequence((still.vertices,), (still.faces,), STILL_FPS, path.stem, uv=still.uv, texture=still.texture)


def read_still(path: Path, check: Check | None = None) -> StillMesh:
    """The mesh at ``path``, by its suffix; raises InputError naming the path. ``check`` may cancel.

    A GLB must hold one frame; one without any mesh is an empty frame.
    """
    suffix = path.suffix.lower()
    if suffix in GLTF:
        return _gltf(path)
    try:
        if suffix == ".obj":
            return read_obj(path, check)
        return read_ply(path, check) if suffix == ".ply" else _trimesh(path)
    except InputError as error:
        raise InputError(f"Cannot import {path}: {str(error).rstrip('.')}.") from error


def _gltf(path: Path) -> StillMesh:
    try:
        empty = not open_gltf(path).json.get("meshes")
    except InputError as error:
        raise InputError(f"Cannot import {path}: {str(error).rstrip('.')}.") from error
    if empty:
        return StillMesh(np.zeros((0, 3), np.float32), np.zeros((0, 3), np.int32))
    sequence = load_sequence(path)
    if sequence.frame_count != 1:
        raise InputError(f"{path} has {sequence.frame_count} frames, but lies among files of one frame each.")
    return StillMesh(sequence.vertices[0], sequence.faces[0], sequence.uv, texture=sequence.texture)


def _trimesh(path: Path) -> StillMesh:
    """From the bytes alone, so that the file names no further ones."""
    import trimesh

    content = io.BytesIO(file_bytes(path))
    kind = path.suffix[1:].lower()
    try:
        mesh = trimesh.load(content, file_type=kind, force="mesh", process=False, maintain_order=True)
        vertices, faces = np.asarray(mesh.vertices, np.float64), np.asarray(mesh.faces, np.int64)
    except _TRIMESH_ERRORS as error:
        raise InputError(f"it is not a readable {kind.upper()} ({str(error)[:80]})") from error
    if not len(faces):  # all that is found in an STL that ends early
        raise InputError("it is damaged or has no faces")
    return StillMesh(checked_rows(vertices, 3, "it"), checked_faces(faces, len(vertices), "it"))
