"""Picking frames of a clip, image tokens, latents or meshes, and joining several into one; the timing stays true."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from .errors import InputError
from .mesh_arrays import same_array, same_topology, share_faces
from .sequence import Clip, ImageTokens, LatentSequence, MeshSequence
from .setting_checks import check_choice
from .video.selection import select_frames

Value = Clip | ImageTokens | LatentSequence | MeshSequence

DIFFERENT_FPS = ("error", "keep first")  # what to do when values that are joined have different rates

_TENSORS = {Clip: "frames", ImageTokens: "tokens", LatentSequence: "latents"}
_NAMES = {Clip: "a clip", ImageTokens: "image tokens", LatentSequence: "latents", MeshSequence: "meshes"}
_SAME_FPS = 1e-6  # relative


def pick_frames(
    value: Value,
    start: int = 0,
    stop: int | None = None,
    stride: int = 1,
    count: int | None = None,
    reverse: bool = False,
) -> Value:
    """Frames ``start`` <= i < ``stop``, every ``stride``-th, of those ``count`` at equal times, and the last first if
    ``reverse``.

    Negative ``start`` and ``stop`` count from the end. The rate becomes the number of frames over the time they stand
    for: ``stride`` 2 halves it. Raises InputError when the settings do not fit the value.
    """
    total = frame_count(value)
    first = _from_start("start", start, total)
    last = None if stop is None else _from_start("stop", stop, total)
    if last is not None and last <= first:
        raise InputError(
            f"stop ({stop}) does not lie behind start ({start}) in {total} frames; raise stop, or lower start."
        )
    chosen = select_frames(np.arange(total, dtype=np.float64), total, first, last, stride, count)  # one second a frame
    order = list(reversed(chosen.indices)) if reverse else list(chosen.indices)
    fps = value.fps * chosen.fps
    if isinstance(value, MeshSequence):
        frames = {key: _taken(getattr(value, key), order) for key in ("vertices", "faces", "normals")}
        return replace(value, **frames, fps=fps)
    key = _TENSORS[type(value)]
    return replace(value, **{key: getattr(value, key)[order]}, fps=fps)


def join(values: Sequence[Value], different_fps: str = "error") -> Value:
    """One value with the frames of all ``values``, which are of one kind, in their order.

    ``different_fps`` is "error" or "keep first", which plays all frames at the first's rate. Latents and tokens must
    come from one model; meshes must share their texture or have none, and keep one topology where they have one.
    Normals stay when all have them, the crop of clips when it is the same, settings that differ become a list under
    "joined". Raises InputError naming the value that does not fit.
    """
    if not values:
        raise InputError("There is nothing to join; give at least one sequence.")
    check_choice("different_fps", different_fps, DIFFERENT_FPS)
    first = values[0]
    frame_count(first)
    for number, other in enumerate(values[1:], start=2):
        _check_pair(first, other, number, different_fps)
    if isinstance(first, MeshSequence):
        return _joined_meshes(values)
    key = _TENSORS[type(first)]
    changes: dict[str, Any] = {key: torch.cat([getattr(value, key) for value in values])}
    if isinstance(first, Clip) and any((c.crop, c.source_size) != (first.crop, first.source_size) for c in values):
        changes |= {"crop": None, "source_size": None}
    if isinstance(first, LatentSequence):
        changes["settings"] = _settings(values)
    return replace(first, **changes)


def frame_count(value: Value) -> int:
    """Number of frames of any of the four kinds; raises InputError for anything else."""
    if isinstance(value, MeshSequence):
        return value.frame_count
    if type(value) not in _TENSORS:
        accepted = ", ".join(_NAMES.values())
        raise InputError(f"This is a {type(value).__name__}, which has no frames of ours; accepted are {accepted}.")
    return len(getattr(value, _TENSORS[type(value)]))


def _from_start(name: str, index: int, total: int) -> int:
    if index < -total:
        raise InputError(f"{name} is {index}, but there are {total} frames; set {name} to {-total} or more.")
    return index + total if index < 0 else index


def _taken(frames: tuple | None, order: list[int]) -> tuple | None:
    return None if frames is None else tuple(frames[index] for index in order)


def _check_pair(first: Value, other: Value, number: int, different_fps: str) -> None:
    """Raise InputError when the value of this number cannot stand behind the first."""
    if type(other) is not type(first):
        kinds = _NAMES.get(type(other), f"a {type(other).__name__}"), _NAMES[type(first)]
        raise InputError(f"Sequence {number} is {kinds[0]} and the first is {kinds[1]}; join values of one kind.")
    if different_fps == "error" and not math.isclose(first.fps, other.fps, rel_tol=_SAME_FPS):
        raise InputError(
            f"Sequence {number} has {other.fps:g} frames per second and the first {first.fps:g}; bring them to one "
            "rate, or set different_fps to keep first."
        )
    if isinstance(first, MeshSequence):
        return
    if not isinstance(first, Clip) and other.model != first.model:
        raise InputError(
            f"Sequence {number} was made with the model {other.model!r} and the first with {first.model!r}; make both "
            "with one model."
        )
    sizes = [list(getattr(value, _TENSORS[type(value)]).shape[1:]) for value in (first, other)]
    if sizes[0] != sizes[1]:
        raise InputError(
            f"The frames of sequence {number} have the shape {sizes[1]} and those of the first {sizes[0]}; make both "
            "with the same size."
        )


def _joined_meshes(values: Sequence[MeshSequence]) -> MeshSequence:
    first = values[0]
    faces = share_faces(frame for value in values for frame in value.faces)
    normals = None
    if all(value.normals is not None for value in values):
        normals = tuple(frame for value in values for frame in value.normals)
    vertices = tuple(frame for value in values for frame in value.vertices)
    _check_appearance(values, same_topology(vertices, faces))
    return replace(first, vertices=vertices, faces=faces, normals=normals, settings=_settings(values))


def _check_appearance(values: Sequence[MeshSequence], one_topology: bool) -> None:
    """Raise InputError when the first's uv and texture cannot hold for all frames."""
    first = values[0]
    for number, other in enumerate(values[1:], start=2):
        if not (same_array(first.uv, other.uv) and same_array(first.texture, other.texture)):
            raise InputError(
                f"Sequence {number} has another texture or uv than the first, and a sequence holds one texture for all "
                "its frames; join the sequences before they are textured."
            )
    if first.uv is not None and not one_topology:
        raise InputError(
            "The sequences have a texture but not the same faces, and a texture needs one topology for all frames; "
            "join them before they are tracked and textured."
        )


def _settings(values: Sequence[Any]) -> dict:
    alike = all(value.settings == values[0].settings for value in values)
    return values[0].settings if alike else {"joined": [value.settings for value in values]}
