"""Texture coordinates for a mesh: cut into charts and packed by xatlas, once per content.

xatlas holds the interpreter while it works and cannot be stopped, so it runs in a process of its own: the caller
stays responsive, and a cancel ends that process at once. V vertices, F faces.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from ..errors import InputError
from ..geometry.mesh import area_vectors
from ..optional_packages import missing
from ..progress import Check, Progress, tick
from ..storage import read_value, write_value

ADVISED_FACES = 30_000
"""Meshes with more faces take minutes to unwrap; the advice is to decimate them first."""

_WAIT = 0.05  # seconds between two looks at the process
_PARTS = 100  # steps of progress
_SECONDS_PER_FACE = 2e-4  # typical for the mesh of a distance field; only the progress bar depends on it
_GROWTH = 1.3  # xatlas makes the page larger than asked for; scaled back, the gaps have the width wanted
_KEPT = 8  # results in memory
_cache: OrderedDict[str, Unwrapped] = OrderedDict()


@dataclass(frozen=True, eq=False)
class Unwrapped:
    """A mesh cut at the seams of its texture.

    ``vertex`` [V'] int32 is the row of the original mesh each vertex is a copy of, ``faces`` [F,3] int32 are the
    original faces in their order over the copies, ``uv`` [V',2] float32 lies in 0..1 with the origin bottom left,
    ``charts`` counts the pieces.
    """

    vertex: np.ndarray
    faces: np.ndarray
    uv: np.ndarray
    charts: int


def gap_texels(texture_size: int) -> int:
    """Room between charts in texels: 16, so that each border can be padded by 8; less on textures below 1024."""
    return max(4, min(16, texture_size // 64))


def unwrap(
    vertices: np.ndarray,
    faces: np.ndarray,
    progress: Progress | None = None,
    check: Check | None = None,
    texture_size: int = 1024,
    cache_folder: str | os.PathLike | None = None,
    notify: Callable[[str], None] | None = None,
) -> Unwrapped:
    """Texture coordinates for vertices [V,3] and faces [F,3], packed for a square texture of ``texture_size`` texels.

    The last few results are kept in memory by content, and in ``cache_folder`` when given. ``notify`` receives one
    sentence of advice for a mesh with many faces. Raises InputError for an empty mesh, a mesh without area, and when
    xatlas is missing or gives up.
    """
    _check_mesh(vertices, faces)
    key = _key(vertices, faces, texture_size)
    found = _cache.get(key) or _stored(cache_folder, key, len(vertices), len(faces))
    if found is None:
        if notify is not None and len(faces) > ADVISED_FACES:
            notify(_advice(len(faces)))
        found = _run(vertices, faces, texture_size, progress, check)
        if cache_folder is not None:
            _store(cache_folder, key, found)
    _cache[key] = found
    _cache.move_to_end(key)
    while len(_cache) > _KEPT:
        _cache.popitem(last=False)
    tick(progress, check, _PARTS, _PARTS)
    return found


def _advice(count: int) -> str:
    return (
        f"The mesh has {count} faces, and unwrapping takes minutes above {ADVISED_FACES}; set the number of faces of "
        "the Track Topology node to 20000 or less, the texture keeps the detail."
    )


def _check_mesh(vertices: np.ndarray, faces: np.ndarray) -> None:
    if len(faces) == 0:
        raise InputError("A mesh without faces cannot be unwrapped; give a mesh with a surface.")
    if not np.linalg.norm(area_vectors(vertices, faces), axis=1).sum() > 0:
        raise InputError(f"A mesh whose {len(faces)} faces have no area cannot be unwrapped.")


def _key(vertices: np.ndarray, faces: np.ndarray, texture_size: int) -> str:
    digest = hashlib.sha256(f"1 {len(vertices)} {len(faces)} {texture_size}".encode())
    digest.update(np.ascontiguousarray(vertices, np.float32))
    digest.update(np.ascontiguousarray(faces, np.int32))
    return digest.hexdigest()


def _run(
    vertices: np.ndarray, faces: np.ndarray, texture_size: int, progress: Progress | None, check: Check | None
) -> Unwrapped:
    if find_spec("xatlas") is None:
        raise missing("Unwrapping needs", "xatlas")
    with tempfile.TemporaryDirectory(prefix="unwrap_") as folder:
        source, target = Path(folder) / "in.npz", Path(folder) / "out.npz"
        padding = round(_GROWTH * gap_texels(texture_size))
        np.savez(source, vertices=_in_unit_box(vertices), faces=faces, resolution=texture_size, padding=padding)
        _wait(_start(source, target), len(faces) * _SECONDS_PER_FACE, progress, check)
        with np.load(target, allow_pickle=False) as made:
            if int(made["pages"]) != 1 or len(made["faces"]) != len(faces):
                raise InputError("xatlas could not put this mesh on one texture page; decimate or repair it first.")
            uv = made["uv"].astype(np.float32).clip(0, 1)
            return Unwrapped(made["vertex"].astype(np.int32), made["faces"].astype(np.int32), uv, int(made["charts"]))


def _in_unit_box(vertices: np.ndarray) -> np.ndarray:
    """Vertices [V,3] moved and scaled to half size 1: xatlas leaves faces out that are small in absolute numbers."""
    low, high = vertices.min(axis=0).astype(np.float64), vertices.max(axis=0).astype(np.float64)
    return ((vertices - (low + high) / 2) / ((high - low).max() / 2)).astype(np.float32)


def _start(source: Path, target: Path) -> subprocess.Popen:
    command = [sys.executable, str(Path(__file__).with_name("unwrap_worker.py")), str(source), str(target)]
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
    )


def _wait(process: subprocess.Popen, expected: float, progress: Progress | None, check: Check | None) -> None:
    """Wait for the process, reporting time as progress; end it when the caller cancels."""
    began = time.monotonic()
    try:
        while process.poll() is None:
            elapsed = time.monotonic() - began
            share = 1 - 1 / (1 + elapsed / max(expected, 0.5))  # never done before it is done
            tick(progress, check, int(share * (_PARTS - 1)), _PARTS)
            time.sleep(_WAIT)
    finally:
        if process.poll() is None:
            process.kill()
        message = process.communicate()[1].decode("utf-8", "replace").strip()
    if process.returncode != 0:
        last = message.splitlines()[-1] if message else f"exit status {process.returncode}"
        raise InputError(f"xatlas could not unwrap this mesh ({last}); decimate or repair it first.")


def _stored(folder: str | os.PathLike | None, key: str, vertex_count: int, face_count: int) -> Unwrapped | None:
    path = None if folder is None else Path(folder) / f"{key}.safetensors"
    if path is None or not path.is_file():
        return None
    header, arrays = read_value(path, "Unwrapped")
    rows, faces, uv = (arrays.get(name, np.zeros(0)) for name in ("vertex", "faces", "uv"))
    shapes = rows.ndim == 1 and uv.shape == (len(rows), 2) and faces.shape == (face_count, 3)
    kinds = shapes and (rows.dtype, faces.dtype, uv.dtype) == (np.int32, np.int32, np.float32)
    if not kinds or not _within(rows, vertex_count) or not _within(faces, len(rows)) or not _within(uv, 1.000001):
        raise InputError(f"{path} does not hold the texture coordinates of this mesh; delete it.")
    return Unwrapped(rows, faces, uv, int(header.get("charts", 0)))


def _within(values: np.ndarray, limit: float) -> bool:
    return values.size > 0 and bool(values.min() >= 0) and bool(values.max() < limit)


def _store(folder: str | os.PathLike, key: str, value: Unwrapped) -> None:
    Path(folder).mkdir(parents=True, exist_ok=True)
    arrays = {"vertex": value.vertex, "faces": value.faces, "uv": value.uv}
    write_value(Path(folder) / f"{key}.safetensors", "Unwrapped", {"charts": value.charts}, arrays)
