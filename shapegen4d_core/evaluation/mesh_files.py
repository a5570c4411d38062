"""Sequences on disk, ours or others': animated glTF, a folder of one mesh per frame, our own files, tracked points."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from tokenize import TokenError

import numpy as np

from ..errors import InputError
from ..geometry.surface_points import choose_points, sample_surface
from ..importing import load_sequence
from ..importing.mesh_file import GLTF, STILLS, read_mesh_file
from ..importing.mesh_folder import read_mesh_folder
from ..sequence import MeshSequence
from .folder_names import by_name

POINTS = ".npy"
_ANY = (*GLTF, *STILLS, ".safetensors", POINTS)


@dataclass(frozen=True)
class Shapes:
    """A sequence to be compared: ``meshes``, or tracked ``points`` [T,V,3] where there is no mesh."""

    meshes: MeshSequence | None = None
    points: np.ndarray | None = None

    @property
    def frame_count(self) -> int:
        """Number of frames."""
        return self.meshes.frame_count if self.points is None else len(self.points)

    @property
    def tracked(self) -> bool:
        """Whether a point of frame 1 is known in all frames."""
        return self.points is not None or self.meshes.fixed_topology

    def clouds(self, count: int, seed: int) -> list[np.ndarray]:
        """Independent points [P,3] of every frame, ``count`` where they are drawn from a mesh."""
        if self.points is None:
            frames = zip(self.meshes.vertices, self.meshes.faces)
            return [sample_surface(*mesh, count, seed + t) for t, mesh in enumerate(frames)]
        rng = np.random.default_rng(seed)
        return [frame[rng.permutation(len(frame))[:count]].astype(np.float64) for frame in self.points]

    def tracks(self, count: int, seed: int) -> np.ndarray:
        """The same points in all frames, [T,P,3]: drawn on frame 1 and carried along."""
        if self.points is not None:
            rows = np.random.default_rng(seed).permutation(self.points.shape[1])[:count]
            return self.points[:, rows].astype(np.float64)
        faces = self.meshes.faces[0]
        chosen = choose_points(self.meshes.vertices[0], faces, count, seed)
        return np.stack([chosen.on(frame, faces) for frame in self.meshes.vertices])


def find_assets(folder: str | Path) -> dict[str, Path]:
    """Files and folders of sequences directly in ``folder``, by name without suffix.

    Raises InputError when there are none, or two of one name.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder; give a folder with one file or folder per asset.")
    paths = [path for path in sorted(folder.iterdir()) if path.is_dir() or path.suffix.lower() in _ANY]
    found = by_name(path for path in paths if not path.name.startswith("."))
    if not found:
        raise InputError(f"{folder} holds no assets; accepted are folders and {', '.join(_ANY)}.")
    return found


def read_shapes(path: str | Path) -> Shapes:
    """The sequence in a file or folder. A folder holds frames in the order of their numbers, or one animated file,
    or ActionBench's ``surfaces.npy`` [T,V,6]. Raises InputError.
    """
    path = Path(path)
    if path.is_dir():
        return _read_folder(path)
    suffix = path.suffix.lower()
    if suffix == POINTS:
        return Shapes(points=_read_points(path))
    if suffix == ".safetensors":
        return Shapes(MeshSequence.load(path))
    if suffix in GLTF:
        return Shapes(load_sequence(path))
    if suffix in STILLS:
        return Shapes(read_mesh_file(path))
    raise InputError(f"{path} is no sequence this can read; accepted are {', '.join(_ANY)} and folders of them.")


def _read_folder(folder: Path) -> Shapes:
    """A folder with one file is that file; one with several meshes has a frame in each."""
    files = [path for path in folder.iterdir() if path.is_file() and not path.name.startswith(".")]
    files = [path for path in files if path.suffix.lower() in _ANY]
    kinds = {path.suffix.lower() for path in files}
    if len(kinds) != 1:
        said = ", ".join(sorted(kinds)) or "no meshes"
        raise InputError(f"{folder} holds {said}; a folder of frames must hold one kind of {', '.join(_ANY)}.")
    if len(files) == 1:
        return read_shapes(files[0])
    if kinds & {POINTS, ".safetensors"}:
        raise InputError(f"{folder} holds {len(files)} sequences; a folder of frames holds one mesh per file.")
    return Shapes(read_mesh_folder(folder))


def _read_points(path: Path) -> np.ndarray:
    """Tracked points [T,V,3], the first three columns of what the file holds."""
    try:
        values = np.lib.format.open_memmap(path, mode="r")  # which compares the size announced with that of the file
    except (ValueError, OSError, EOFError, ArithmeticError, SyntaxError, TokenError) as error:
        raise InputError(f"{path} cannot be read as an array ({str(error)[:80]!r}).") from error
    if values.ndim != 3 or values.shape[2] not in (3, 6) or values.size == 0 or values.dtype.kind != "f":
        raise InputError(f"{path} holds {list(values.shape)} {values.dtype}; accepted are floats [T,V,3] or [T,V,6].")
    if not np.isfinite(values).all():
        raise InputError(f"{path} has values that are not finite.")
    return np.array(values[..., :3])
