"""Writes a mesh sequence as one OpenUSD stage: .usdc (binary), .usda (text) or .usdz (package with its texture).

Frame t is the sample at time code t, with as many time codes per second as frames, from 0 to T - 1. Readers blend the
points between the frames of a fixed topology, as USD does by itself; where the topology changes, frames hold. Stages
have y up and metres unless asked otherwise, and a mesh with points, normals, topology, texture coordinates and one
preview material below a root of the sequence's name.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ..camera import Camera
from ..errors import InputError
from ..manifest import ENTRY, check_extras
from ..progress import Check, Progress
from ..sequence import MeshSequence
from ..storage import atomic_paths
from ..usd_library import SUFFIXES, usd_module
from .obj_file import write_picture
from .requests import check_drawable
from .usd_camera import cameras_of
from .usd_package import write_package
from .usd_space import StageSpace
from .usd_stage import StagePlan, write_stage

_PACKED_PICTURE = "textures/base_colour.png"


def write_usd(
    sequence: MeshSequence,
    path: str | os.PathLike,
    *,
    up_axis: str = "Y",
    metres_per_unit: float = 1.0,
    camera: Camera | Sequence[Camera] | None = None,
    unlit: bool = False,
    extras: dict[str, Any] | None = None,
    progress: Progress | None = None,
    check: Check | None = None,
) -> Path:
    """Write ``sequence`` to ``path`` (.usdc, .usda or .usdz) as a stage with time samples and return the path.

    ``up_axis`` is "Y" or "Z", ``metres_per_unit`` the unit of the coordinates (0.01: centimetres; the object keeps its
    size). ``camera`` is one for all frames or one per frame. ``unlit`` makes the texture glow instead of reflecting.
    ``extras`` (JSON-able) go into ``customLayerData`` beside our own entry "shapegen4d". The texture of a .usda or
    .usdc lies beside it as ``<name>_texture.png``. Memory holds a few frames at a time; files appear whole or not at
    all. Raises InputError where usd-core is not installed, for a sequence without faces, unlit without a texture, a
    bad path, axis, unit, camera or extras.
    """
    path = Path(path)
    space, cameras = StageSpace(up_axis, metres_per_unit), cameras_of(camera, sequence.frame_count)
    _check_request(sequence, path, unlit)
    entries = _entries(sequence, extras)
    usd_module("Usd")  # before anything is written
    packed, picture = path.suffix.lower() == ".usdz", path.with_name(f"{path.stem}_texture.png")
    outside = sequence.texture is not None and not packed
    with atomic_paths([picture, path] if outside else [path]) as temporaries:
        with TemporaryDirectory(dir=path.parent, prefix=".usd-", ignore_cleanup_errors=True) as folder:
            stage_file = Path(folder, f"stage{'.usdc' if packed else path.suffix.lower()}")
            packed_picture = Path(folder, "picture.png")
            if sequence.texture is not None:
                write_picture(temporaries[0] if outside else packed_picture, sequence.texture, check)
            reference = f"./{_PACKED_PICTURE if packed else picture.name}"
            write_stage(stage_file, StagePlan(sequence, space, cameras, entries, reference, unlit), progress, check)
            if packed:
                parts = [("stage.usdc", stage_file), (_PACKED_PICTURE, packed_picture)]
                write_package(temporaries[-1], parts[: 1 if sequence.texture is None else 2], check)
            else:
                os.replace(stage_file, temporaries[-1])
    return path


def _check_request(sequence: MeshSequence, path: Path, unlit: bool) -> None:
    if path.suffix.lower() not in SUFFIXES:
        raise InputError(f"Cannot write {path} as USD: the name must end in {', '.join(SUFFIXES)}.")
    check_drawable(sequence, unlit)


def _entries(sequence: MeshSequence, extras: dict[str, Any] | None) -> dict[str, str]:
    """What goes into customLayerData: texts as they are, anything else as JSON text."""
    check_extras(extras)
    ours = {
        "fps": sequence.fps,
        "frames": sequence.frame_count,
        "name": sequence.name,
        "normals": sequence.normals is not None,
        "settings": sequence.settings,
    }
    return {key: _text(key, value) for key, value in {ENTRY: ours, **(extras or {})}.items()}


def _text(key: Any, value: Any) -> str:
    if not isinstance(key, str) or not key or not key.isprintable():
        raise InputError(f"extras has the key {key!r}, accepted are words.")
    try:
        text = value if isinstance(value, str) and "\0" not in value else json.dumps(value, allow_nan=False)
        text.encode("utf-8")
    except (TypeError, ValueError, RecursionError) as error:
        raise InputError(f"extras {key!r} cannot be written into a USD file ({error}); pass text.") from error
    return text
