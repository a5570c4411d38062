"""Reads a point cache (PC2 or MDD) with the base mesh beside it, ours or another program's.

What the header announces is compared with the size of the file before anything is allocated.
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np

from ..errors import InputError
from ..manifest import CACHE_MANIFEST, FRAME_LIMIT, Manifest, find_manifest
from ..progress import Check, Progress, tick
from ..sequence import MeshSequence
from .load import BYTES_LIMIT
from .mesh_file import STILL_FPS, STILLS, read_still
from .still import StillMesh, checked_rows

SUFFIXES = (".pc2", ".mdd")
_WHOLE = 5e-4  # a rate this close to a whole number, relative, is that number: times are float32


@dataclass(frozen=True)
class _Header:
    frame_count: int
    vertex_count: int
    number: str  # numpy type of a coordinate
    fps: float


def read_point_cache(
    path: str | os.PathLike,
    *,
    base: str | os.PathLike | None = None,
    fps: float | None = None,
    progress: Progress | None = None,
    check: Check | None = None,
) -> MeshSequence:
    """Read the cache ``path`` (.pc2 or .mdd) and the mesh it moves: ``base``, or ``<stem>.obj``, ``.ply`` beside it.

    The base mesh gives faces, texture coordinates and texture; its vertices must be as many as those of the cache. With
    ``<stem>.cache.json`` of ours rate, name and settings come back; else the rate is that of an MDD's times, or 24
    frames per second for a PC2. ``fps`` overrides it. Raises InputError for damaged files and meshes that do not fit.
    """
    path = Path(path)
    with _opened(path) as file:
        try:
            header = _header(file, path.suffix.lower(), path.stat().st_size)
        except InputError as error:
            raise InputError(f"Cannot import {path}: {error}.") from error
        still = read_still(_base(path, base), check).painted()
        rows = _rows(path, still, header.vertex_count)
        frames = []
        for frame in range(header.frame_count):
            points = np.fromfile(file, header.number, header.vertex_count * 3)
            frames.append(_frame(path, points, header.vertex_count, rows))
            tick(progress, check, frame + 1, header.frame_count)
    manifest = _manifest(path, header.frame_count)
    rate = fps if fps is not None else header.fps if manifest is None else manifest.fps
    name, settings = (path.stem, {}) if manifest is None else (manifest.name, manifest.settings)
    faces = (still.faces,) * len(frames)
    return MeshSequence(tuple(frames), faces, rate, name, uv=still.uv, texture=still.texture, settings=settings)


def _opened(path: Path) -> IO[bytes]:
    if path.suffix.lower() not in SUFFIXES:
        raise InputError(f"Cannot read {path} as a point cache: the name must end in .pc2 or .mdd.")
    try:
        return open(path, "rb")
    except (OSError, ValueError) as error:
        raise InputError(f"Cannot import {path}: it cannot be read ({str(error)[:80]}).") from error


def _header(file: IO[bytes], suffix: str, size: int) -> _Header:
    head = file.read(32 if suffix == ".pc2" else 8)
    try:
        if suffix == ".pc2":
            mark, version, vertex_count, _, step, frame_count = struct.unpack("<12siiffi", head)
        else:
            frame_count, vertex_count = struct.unpack(">ii", head)
    except struct.error as error:
        raise InputError("it ends inside its header") from error
    if suffix == ".pc2" and (mark != b"POINTCACHE2\0" or version != 1):
        raise InputError("it is not a PC2 of version 1")
    if not 1 <= frame_count <= FRAME_LIMIT or vertex_count < 1:
        raise InputError(
            f"it announces {frame_count} frames of {vertex_count} vertices, accepted are 1 to {FRAME_LIMIT} frames "
            "and at least one vertex"
        )
    start = 32 if suffix == ".pc2" else 8 + 4 * frame_count
    wanted = start + 12 * frame_count * vertex_count
    if wanted != size:
        raise InputError(
            f"it announces {frame_count} frames of {vertex_count} vertices, which take {wanted} bytes, but it has "
            f"{size}"
        )
    if wanted > BYTES_LIMIT:
        raise InputError(f"its vertices take more than {BYTES_LIMIT >> 30} GiB, the most that is read")
    if suffix == ".pc2":
        return _Header(frame_count, vertex_count, "<f4", _pc2_rate(step))
    return _Header(frame_count, vertex_count, ">f4", _mdd_rate(np.fromfile(file, ">f4", frame_count)))


def _pc2_rate(step: float) -> float:
    """Samples per second, at 24 frames per second; ``step`` is frames per sample."""
    if not 0 < step < 1e6:
        raise InputError(f"its sampling rate is {step:g}, accepted is a positive number of frames")
    return STILL_FPS / step


def _mdd_rate(seconds: np.ndarray) -> float:
    """Frames per second of increasing, evenly spaced times [T]."""
    if len(seconds) == 1:
        return STILL_FPS
    seconds = seconds.astype(np.float64)
    fits = bool(np.isfinite(seconds).all())
    if fits:
        steps = np.diff(seconds)
        step = float(np.median(steps))
        slack = 1e-3 * step + 4 * float(np.spacing(np.float32(np.abs(seconds).max())))
        fits = step > 0 and float(np.abs(steps - step).max()) <= slack
    if not fits:
        raise InputError("its times do not increase evenly, accepted are frames that last equally long")
    rate = (len(seconds) - 1) / float(seconds[-1] - seconds[0])
    return float(round(rate)) if round(rate) > 0 and abs(rate - round(rate)) < _WHOLE * rate else rate


def _base(path: Path, base: str | os.PathLike | None) -> Path:
    if base is not None:
        return Path(base)
    for suffix in STILLS:
        if path.with_suffix(suffix).is_file():
            return path.with_suffix(suffix)
    raise InputError(f"{path} has no base mesh beside it; put {path.stem}.obj there, or give the path of one as base.")


def _rows(path: Path, still: StillMesh, vertex_count: int) -> np.ndarray | None:
    """The cached point of each vertex of the base mesh; None where it is the same."""
    count = len(still.vertices) if still.rows is None else int(still.rows.max(initial=-1)) + 1
    if count != vertex_count:
        raise InputError(
            f"{path} moves {vertex_count} vertices, but its base mesh has {count}; give the mesh it was made with."
        )
    return still.rows


def _frame(path: Path, points: np.ndarray, vertex_count: int, rows: np.ndarray | None) -> np.ndarray:
    try:
        if len(points) != 3 * vertex_count:
            raise InputError("it ends inside its positions")
        vertices = checked_rows(points, 3, "it")
    except InputError as error:
        raise InputError(f"Cannot import {path}: {error}.") from error
    return vertices if rows is None else vertices[rows]


def _manifest(path: Path, frame_count: int) -> Manifest | None:
    """What our writer noted down beside the cache; None when it belongs to another one."""
    manifest = find_manifest(path.with_name(path.stem + CACHE_MANIFEST))
    fits = manifest is not None and manifest.files == (path.name,) and manifest.frames == frame_count
    return manifest if fits else None
