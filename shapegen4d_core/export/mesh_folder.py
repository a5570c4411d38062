"""Writes a mesh sequence as a folder: one OBJ, PLY or GLB per frame, the texture once, and a manifest.

Files are called frame_0001, frame_0002 and so on, with as many zeros as the last one needs; frame t starts at
(t - 1) / fps. ``sequence.json`` lists them with the rate, the name and the settings. Any topology, any frame may be
empty. Nothing is turned: y up, front +z, lengths as they are.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..manifest import MANIFEST, Manifest, manifest_text
from ..progress import Check, Progress, tick
from ..sequence import MeshSequence
from ..setting_checks import check_choice
from ..storage import atomic_folder
from .glb_still import GlbStills
from .obj_file import write_material, write_obj, write_picture, writes_opaque
from .ply_file import write_ply
from .requests import check_light, warn_of_points
from .still import Stills

KINDS = ("obj", "ply", "glb")
LIBRARY, PICTURE = "material.mtl", "texture.png"


def write_mesh_folder(
    sequence: MeshSequence,
    path: str | os.PathLike,
    *,
    kind: str = "obj",
    normals: bool = True,
    unlit: bool = False,
    extras: dict[str, Any] | None = None,
    progress: Progress | None = None,
    check: Check | None = None,
) -> Path:
    """Write ``sequence`` as the folder ``path`` with one file of ``kind`` ("obj", "ply" or "glb") per frame.

    Positions come back exactly, float32 for float32. ``normals`` adds smooth ones, with the seams of the texture sewn;
    ``unlit`` shows the texture without further light (a PLY has no material, so there it says nothing).
    ``extras`` (JSON-able) go into the manifest beside our own entry "shapegen4d". Memory holds one frame at a time; the
    folder appears whole or not at all, and replaces only an empty one or an earlier sequence. Raises InputError for an
    unknown kind, a folder that holds other things, unlit without a texture, and extras that are not JSON.
    """
    path = Path(path)
    _check_request(sequence, kind, unlit)
    manifest = _manifest(sequence, kind)
    text = manifest_text(manifest, extras)
    _warn_of_losses(sequence, kind)
    with atomic_folder(path) as folder:
        _write_appearance(folder, sequence, manifest, unlit, check)
        write = _writer(folder, sequence, manifest, kind, normals, unlit, check)
        for frame, name in enumerate(manifest.files):
            write(folder / name, frame)
            tick(progress, check, frame + 1, sequence.frame_count)
        (folder / MANIFEST).write_text(text, encoding="ascii", newline="\n")
    return path


def _writer(
    folder: Path,
    sequence: MeshSequence,
    manifest: Manifest,
    kind: str,
    normals: bool,
    unlit: bool,
    check: Check | None,
) -> Callable[[Path, int], None]:
    """What writes a frame (from 0) to a path."""
    if kind == "glb":
        glbs = GlbStills(sequence, folder, normals, unlit, check)
        return lambda path, frame: glbs.write(path, frame, check)
    stills = Stills(sequence, normals, check)
    if kind == "obj":
        library = LIBRARY if LIBRARY in manifest.others else None
        return lambda path, frame: write_obj(path, stills.frame(frame), path.stem, library, check)
    picture = PICTURE if PICTURE in manifest.others else None
    return lambda path, frame: write_ply(path, stills.frame(frame), picture, check)


def frame_names(frame_count: int, suffix: str) -> tuple[str, ...]:
    """File names of T frames, counted from 1, that sort in their order."""
    digits = max(4, len(str(frame_count)))
    return tuple(f"frame_{frame:0{digits}d}.{suffix}" for frame in range(1, frame_count + 1))


def _manifest(sequence: MeshSequence, kind: str) -> Manifest:
    textured = sequence.texture is not None
    others = {"obj": (LIBRARY, PICTURE), "ply": (PICTURE,), "glb": ()}[kind] if textured else ()
    return Manifest(
        fps=sequence.fps,
        name=sequence.name,
        frames=sequence.frame_count,
        files=frame_names(sequence.frame_count, kind),
        others=others,
        normals=sequence.normals is not None and kind != "glb",
        settings=sequence.settings,
    )


def _write_appearance(
    folder: Path, sequence: MeshSequence, manifest: Manifest, unlit: bool, check: Check | None
) -> None:
    if PICTURE in manifest.others:
        write_picture(folder / PICTURE, sequence.texture, check)
    if LIBRARY in manifest.others:
        write_material(folder / LIBRARY, PICTURE, unlit)


def _check_request(sequence: MeshSequence, kind: str, unlit: bool) -> None:
    check_choice("kind", kind, KINDS)
    check_light(sequence, unlit)


def _warn_of_losses(sequence: MeshSequence, kind: str) -> None:
    if kind == "obj":
        writes_opaque(sequence.texture, stacklevel=4)
    if kind == "glb":
        warn_of_points(sequence, stacklevel=4)
