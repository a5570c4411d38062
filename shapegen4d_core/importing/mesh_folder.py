"""Reads a folder with one mesh per frame: as our exporter writes it, or any other in the order of its numbers."""

from __future__ import annotations

import os
import re
import warnings
from pathlib import Path

import numpy as np

from ..errors import InputError
from ..manifest import FRAME_LIMIT, MANIFEST, Manifest, find_manifest
from ..mesh_arrays import same_topology
from ..progress import Check, Progress, tick
from ..sequence import MeshSequence
from .load import BYTES_LIMIT
from .mesh_file import GLTF, STILL_FPS, STILLS, read_still
from .still import StillMesh

KINDS = (*STILLS, *GLTF)


def read_mesh_folder(
    path: str | os.PathLike,
    fps: float | None = None,
    *,
    progress: Progress | None = None,
    check: Check | None = None,
) -> MeshSequence:
    """Read the folder ``path`` as a MeshSequence, one frame per file.

    With a manifest of ours: its files, rate, name, settings and normals. Without: all files of one kind (obj, ply,
    off, stl, glb or gltf) in the order of the numbers in their names, at 24 frames per second, named like the folder.
    ``fps`` overrides the rate. Texture coordinates and the texture come along where all frames share them, else a
    warning says that they are left out. Raises InputError for damaged, missing or mixed files.
    """
    folder = Path(path)
    if not os.path.isdir(folder):
        raise InputError(f"{folder} is not a folder; give a folder with one mesh per frame.")
    manifest = find_manifest(folder / MANIFEST)
    files = frame_files(folder) if manifest is None else _listed(folder, manifest)
    frames = _Frames(folder)
    for number, file in enumerate(files, 1):
        frames.add(read_still(file, check))
        tick(progress, check, number, len(files))
    rate = fps if fps is not None else STILL_FPS if manifest is None else manifest.fps
    if manifest is None:
        return frames.sequence(rate, Path(os.path.abspath(folder)).name, False, {})
    return frames.sequence(rate, manifest.name, manifest.normals, manifest.settings)


def frame_files(folder: Path) -> list[Path]:
    """The meshes directly in ``folder``, in the order of the numbers in their names; hidden ones are left out.

    Raises InputError when there are none, or of several kinds.
    """
    entries = [path for path in folder.iterdir() if not path.name.startswith(".") and path.is_file()]
    files = [path for path in entries if path.suffix.lower() in KINDS]
    kinds = sorted({path.suffix.lower() for path in files})
    if len(kinds) != 1:
        said = ", ".join(kinds) or "no meshes"
        raise InputError(f"{folder} holds {said}; a folder of frames must hold one kind of {', '.join(KINDS)}.")
    if len(files) > FRAME_LIMIT:
        raise InputError(f"{folder} holds {len(files)} meshes, at most {FRAME_LIMIT} are read; take some out.")
    return sorted(files, key=natural_order)


def natural_order(path: Path) -> tuple[list[str | int], str]:
    """A key that sorts names with numbers in them as people would: frame_9 before frame_10."""
    parts: list[str | int] = list(re.split(r"([0-9]+)", path.stem))
    parts[1::2] = [int(part[-4000:]) for part in parts[1::2]]  # longer ones Python refuses to read
    return parts, path.name


def _listed(folder: Path, manifest: Manifest) -> list[Path]:
    where = folder / MANIFEST
    if manifest.frames != len(manifest.files):
        raise InputError(f"{where} has {manifest.frames} frames but names {len(manifest.files)} files of meshes.")
    files = [folder / name for name in manifest.files]
    inside = folder.resolve()
    for file in (*files, *(folder / name for name in manifest.others)):
        if not os.path.isfile(file) or file.resolve().parent != inside:
            raise InputError(f"{where} names {file.name!r:.80}, which is missing; copy the whole folder again.")
        if file in files and file.suffix.lower() not in KINDS:
            raise InputError(f"{where} names {file.name!r:.80}, accepted are {', '.join(KINDS)}.")
    return files


class _Frames:
    """Collects frames; equal faces become one array, and what all frames share of texture and coordinates is kept."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._vertices: list[np.ndarray] = []
        self._faces: list[np.ndarray] = []
        self._normals: list[np.ndarray | None] = []
        self._first: StillMesh | None = None
        self._one_uv = self._one_texture = True
        self._bytes = 0

    def add(self, still: StillMesh) -> None:
        """Take the next frame; raises InputError when all vertices together take more than 2 GiB."""
        self._bytes += still.vertices.nbytes
        if self._bytes > BYTES_LIMIT:
            raise InputError(f"The meshes in {self._folder} take more than {BYTES_LIMIT >> 30} GiB; take some out.")
        if self._first is None:
            self._first = still.painted()
        first = self._first
        self._vertices.append(still.vertices)
        same = bool(self._faces) and np.array_equal(self._faces[0], still.faces)
        self._faces.append(self._faces[0] if same else still.faces)
        self._normals.append(still.vertices if not len(still.vertices) else still.normals)
        self._one_uv = self._one_uv and _equal(first.uv, still.uv)
        if len(self._vertices) > 1:
            painted = _equal(first.texture, still.texture) if still.picture is None else still.picture == first.picture
            self._one_texture = self._one_texture and painted

    def sequence(self, fps: float, name: str, normals: bool, settings: dict) -> MeshSequence:
        """All frames together; ``normals`` asks for those in the files."""
        first = self._first
        assert first is not None
        uv, texture = first.uv, first.texture
        if not (self._one_uv and (uv is None or same_topology(self._vertices, self._faces))):
            self._warn("texture coordinates")
            uv = texture = None
        elif not self._one_texture:
            self._warn("textures")
            texture = None
        own = self._normals if normals and all(frame is not None for frame in self._normals) else None
        vertices, faces = tuple(self._vertices), tuple(self._faces)
        return MeshSequence(vertices, faces, fps, name, own, uv, texture, settings)

    def _warn(self, what: str) -> None:
        warnings.warn(f"The {what} in {self._folder} differ between frames and are left out.", stacklevel=4)


def _equal(one: np.ndarray | None, other: np.ndarray | None) -> bool:
    return one is other or (one is not None and other is not None and np.array_equal(one, other))
