"""Writes a point cache (PC2 or MDD) beside the base mesh that it moves, for sequences of one topology.

The cache has the positions of all vertices in all frames, float32; the base mesh is frame 1 as OBJ, with material and
texture, its vertices in the same order. A PC2 counts frames from 0 and says no rate, an MDD has the seconds at which
frames start; ``<stem>.cache.json`` keeps rate, name and settings of both. Nothing is turned: y up, front +z.
Source: the layouts as read by Blender's Mesh Cache modifier; there is no published standard.
"""

from __future__ import annotations

import os
import struct
import warnings
from pathlib import Path
from typing import IO, Any

import numpy as np

from ..errors import InputError
from ..manifest import CACHE_MANIFEST, Manifest, manifest_text, own_files
from ..progress import Check, Progress, tick
from ..sequence import MeshSequence
from ..storage import atomic_paths, check_target
from .obj_file import write_material, write_obj, write_picture, writes_opaque
from .requests import check_drawable
from .still import Stills

SUFFIXES = (".pc2", ".mdd")


def write_point_cache(
    sequence: MeshSequence,
    path: str | os.PathLike,
    *,
    unlit: bool = False,
    extras: dict[str, Any] | None = None,
    progress: Progress | None = None,
    check: Check | None = None,
) -> Path:
    """Write ``sequence`` to ``path`` (.pc2 or .mdd), with ``<stem>.obj``, ``.mtl`` and ``.png`` as its base mesh.

    Positions are kept exactly. ``unlit`` shows the texture without further light; ``extras`` (JSON-able) go into
    ``<stem>.cache.json``. Memory holds one frame at a time; all files appear or none, and base files are replaced only
    when an earlier cache of ours came with them. Raises InputError for a topology that changes, a sequence without
    faces, a rate that an MDD cannot say, base files that are not ours, and extras that are not JSON.
    """
    path = Path(path)
    _check_request(sequence, path, unlit)
    others = _base_names(sequence, path.stem)
    manifest = Manifest(
        sequence.fps, sequence.name, sequence.frame_count, (path.name,), others, settings=sequence.settings
    )
    text = manifest_text(manifest, extras)
    names = (*others, path.stem + CACHE_MANIFEST)
    _check_neighbours(path, names)
    _warn_of_losses(sequence)
    with atomic_paths([*(path.parent / name for name in names), path]) as temporaries:
        files = dict(zip((*names, path.name), temporaries))
        _write_base(files, sequence, path.stem, unlit, check)
        files[names[-1]].write_text(text, encoding="ascii", newline="\n")
        with open(files[path.name], "wb") as file:
            _write_cache(file, sequence, path.suffix.lower(), progress, check)
    return path


def _base_names(sequence: MeshSequence, stem: str) -> tuple[str, ...]:
    textured = (f"{stem}.mtl", f"{stem}.png") if sequence.texture is not None else ()
    return (f"{stem}.obj", *textured)


def _write_base(files: dict[str, Path], sequence: MeshSequence, stem: str, unlit: bool, check: Check | None) -> None:
    base = Stills(sequence, normals=True, check=check).frame(0)
    library = None
    if sequence.texture is not None:
        library = f"{stem}.mtl"
        write_picture(files[f"{stem}.png"], sequence.texture, check)
        write_material(files[library], f"{stem}.png", unlit)
    write_obj(files[f"{stem}.obj"], base, stem, library, check)


def _write_cache(
    file: IO[bytes], sequence: MeshSequence, suffix: str, progress: Progress | None, check: Check | None
) -> None:
    frame_count, vertex_count = sequence.frame_count, len(sequence.vertices[0])
    if suffix == ".pc2":
        file.write(struct.pack("<12siiffi", b"POINTCACHE2\0", 1, vertex_count, 0.0, 1.0, frame_count))
    else:
        file.write(struct.pack(">ii", frame_count, vertex_count))
        file.write(_seconds(sequence).astype(">f4").tobytes())
    number = "<f4" if suffix == ".pc2" else ">f4"
    for frame, vertices in enumerate(sequence.vertices, 1):
        file.write(np.ascontiguousarray(vertices, number).tobytes())
        tick(progress, check, frame, frame_count)


def _seconds(sequence: MeshSequence) -> np.ndarray:
    """When each frame starts [T] float32."""
    with np.errstate(over="ignore"):
        seconds = (np.arange(sequence.frame_count) / sequence.fps).astype(np.float32)
    if not (np.isfinite(seconds).all() and (np.diff(seconds) > 0).all()):
        raise InputError(
            f"fps is {sequence.fps:g} over {sequence.frame_count} frames, which the 32-bit seconds of an MDD cannot "
            "tell apart; use a rate like 24, or write .pc2."
        )
    return seconds


def _check_request(sequence: MeshSequence, path: Path, unlit: bool) -> None:
    if path.suffix.lower() not in SUFFIXES:
        raise InputError(f"Cannot write {path} as a point cache: the name must end in .pc2 or .mdd.")
    if not path.stem.isprintable():
        raise InputError(f"Cannot write {path!r}: its base mesh is named in text files; use a printable name.")
    check_target(path)
    if not sequence.fixed_topology:
        raise InputError(
            f"A point cache moves one mesh, but the topology of {sequence.name!r} changes; write .glb, .usdc or a "
            "folder, or track the sequence first."
        )
    check_drawable(sequence, unlit)
    if path.suffix.lower() == ".mdd":
        _seconds(sequence)


def _check_neighbours(path: Path, names: tuple[str, ...]) -> None:
    own = own_files(path.parent / names[-1])
    for name in names:
        if os.path.exists(path.parent / name) and name not in own:
            raise InputError(
                f"Cannot write {path}: its base mesh would replace {name!r}, which came with no cache of that name; "
                "give another name."
            )


def _warn_of_losses(sequence: MeshSequence) -> None:
    writes_opaque(sequence.texture, stacklevel=4)
    loose = len(sequence.vertices[0]) - len(np.unique(sequence.faces[0]))
    if loose:
        warnings.warn(
            f"{loose} vertices belong to no face: a program that drops them from the base mesh cannot play the cache.",
            stacklevel=3,
        )
