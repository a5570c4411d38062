"""Reads OpenUSD stages (.usd, .usda, .usdc, .usdz): the meshes of every frame in world space, ours and others'.

Positions come in metres with y up whatever the stage has. Skinned meshes (UsdSkel) are posed at the keys of their
animation and blended between them. Files are taken as untrusted: everything they refer to must lie in their folder,
they are tried out in a process of their own, and what cannot be used is one InputError.
"""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError
from ..manifest import ENTRY
from ..mesh_arrays import same_topology
from ..progress import Check, Progress, tick
from ..sequence import MeshSequence
from ..setting_checks import is_finite
from ..usd_library import usd_module
from .load import BYTES_LIMIT
from .usd_files import open_stage
from .usd_scene import UsdScene
from .usd_space import frame_times


def read_usd(
    path: str | os.PathLike,
    *,
    fps: float | None = None,
    progress: Progress | None = None,
    check: Check | None = None,
) -> MeshSequence:
    """Read all meshes of the stage ``path`` as one MeshSequence, a frame at each time code of its range.

    ``fps`` samples at another rate than the stage's frames per second. Files of our own exporter come back with their
    frames, rate, name, settings, texture and, if they were given, normals. A texture travels along when one picture
    colours all faces of a topology that stays; what is left out is warned of. Raises InputError, also where usd-core
    is not installed.
    """
    path = Path(path)
    if fps is not None and not (is_finite(fps) and fps > 0):
        raise InputError(f"fps is {fps!r}, accepted is a positive number.")
    usd_module("Usd")
    with _errors_named(path):
        stage = open_stage(path, check)
        _pose_skins(stage)
        warn = _warn_of(path)
        scene = UsdScene(stage, warn)
        times, rate = frame_times(stage, scene.moving, fps)
        entry, uv, texture = _entry(stage), None, None
        if scene.keeps_topology():
            uv, texture = scene.take_coordinates(times[0], path.parent.resolve())
        elif scene.is_painted():
            warn("its topology changes, so its texture coordinates are left out")
        vertices, faces, normals = _frames(scene, times, entry.get("normals") is True, progress, check)
        if not any(len(frame) for frame in faces):
            raise InputError("the stage shows no faces at any time")
        if uv is not None and not same_topology(vertices, faces):
            warn("its topology changes, so its texture coordinates are left out")
            uv = texture = None
        settings, name = entry.get("settings"), entry.get("name")
        return MeshSequence(
            vertices=vertices,
            faces=faces,
            fps=rate,
            name=name if isinstance(name, str) else path.stem,
            normals=normals,
            uv=uv,
            texture=texture,
            settings=settings if isinstance(settings, dict) else {},
        )


def _frames(
    scene: UsdScene, times: list[Any], with_normals: bool, progress: Progress | None, check: Check | None
) -> tuple[tuple[np.ndarray, ...], tuple[np.ndarray, ...], tuple[np.ndarray, ...] | None]:
    vertices, faces, normals, size = [], [], [], 0
    for frame, time in enumerate(times):
        points, triangles = scene.vertices(time)
        size += points.nbytes + (0 if faces and triangles is faces[-1] else triangles.nbytes)
        if size > BYTES_LIMIT:
            raise InputError(f"its {len(times)} frames take more than {BYTES_LIMIT >> 30} GiB; set a lower fps")
        vertices.append(points)
        faces.append(triangles)
        if with_normals:
            normals.append(scene.normals(time))
        tick(progress, check, frame + 1, len(times))
    fits = with_normals and [len(frame) for frame in normals] == [len(frame) for frame in vertices]
    return tuple(vertices), tuple(faces), tuple(normals) if fits else None


def _pose_skins(stage: Any) -> None:
    """Turn skeletons and blend shapes into moving points, in the session only: the file stays as it is."""
    usd, usd_skel = usd_module("Usd"), usd_module("UsdSkel")
    if any(prim.IsA(usd_skel.Root) for prim in stage.Traverse()):
        session = stage.GetSessionLayer()
        session.timeCodesPerSecond = stage.GetTimeCodesPerSecond()  # or its times would be scaled
        stage.SetEditTarget(usd.EditTarget(session))
        usd_skel.BakeSkinning(stage.Traverse())


def _entry(stage: Any) -> dict[str, Any]:
    """Our own exporter's entry in the data of the root layer; empty in files of others."""
    text = stage.GetRootLayer().customLayerData.get(ENTRY)
    try:
        entry = json.loads(text) if isinstance(text, str) else None
    except (ValueError, RecursionError):
        return {}
    return entry if isinstance(entry, dict) else {}


def _warn_of(path: Path) -> Callable[[str], None]:
    """A function that warns of what cannot be kept of ``path``, in one sentence."""

    def warn(sentence: str) -> None:
        warnings.warn(f"{path}: {sentence}.", stacklevel=3)

    return warn


@contextmanager
def _errors_named(path: Path) -> Iterator[None]:
    try:
        yield
    except InputError as error:
        raise InputError(f"Cannot import {path}: {str(error).rstrip('.')}.") from error
