"""The values that travel between stages: frozen, on the CPU, with the frame rate inside.

Each value saves to and loads from one safetensors file. Constructors check types, shapes and ranges and
raise InputError; nothing is converted silently. Legend: T frames, H x W pixels, M image tokens, N latents,
C channels, V vertices, F faces. Lengths are in half boxes, fps in frames per second.
"""

from __future__ import annotations

import json
import math
import os
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .camera import Camera
from .errors import InputError
from .mesh_arrays import check_meshes, pack_meshes, same_topology, unpack_meshes
from .progress import Check
from .storage import read_value, write_value

__all__ = ["Camera", "Clip", "ImageTokens", "LatentSequence", "MeshSequence"]


@dataclass(frozen=True, eq=False)
class Clip:
    """Frames [T,H,W,4] float32 0..1 (RGB and straight alpha) of one object, with their mean rate.

    ``crop`` is (x0, y0, side) of the square these frames were cut from, in source pixels (it may reach out of
    the source), ``source_size`` is (height, width) of the source; both None when the frames were not cropped.
    """

    frames: Tensor  # [T,H,W,4]
    fps: float
    name: str = "clip"
    crop: tuple[float, float, float] | None = None
    source_size: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        low, high = _check_tensor("Clip.frames", self.frames, "[T,H,W,4]", (None, None, None, 4))
        if low < 0 or high > 1:
            raise InputError(f"Clip.frames spans {low:g}..{high:g}, not 0..1; divide 8-bit values by 255.")
        _check_labels("Clip", self.fps, self.name)
        _check_numbers("Clip.crop", self.crop, 3)
        _check_numbers("Clip.source_size", self.source_size, 2)
        if (self.crop is not None and self.crop[2] <= 0) or (self.source_size and min(self.source_size) < 1):
            raise InputError(f"Clip.crop {self.crop} of source_size {self.source_size} is empty.")

    def save(self, path: str | os.PathLike) -> None:
        """Write the clip to one safetensors file, atomically."""
        header = {"fps": self.fps, "name": self.name, "crop": self.crop, "source_size": self.source_size}
        write_value(path, "Clip", header, {"frames": _numpy(self.frames)})

    @classmethod
    def load(cls, path: str | os.PathLike) -> Clip:
        """Read a clip written by :meth:`save`; raises InputError."""
        header, arrays = read_value(path, "Clip")
        for key in ("crop", "source_size"):
            header[key] = tuple(header[key]) if isinstance(header.get(key), list) else header.get(key)
        return _build(path, cls, header, {key: torch.from_numpy(array) for key, array in arrays.items()})


@dataclass(frozen=True, eq=False)
class ImageTokens:
    """Image tokens [T,M,C] float32 of each frame, and the name of the ``model`` that made them."""

    tokens: Tensor  # [T,M,C]
    fps: float
    name: str
    model: str

    def __post_init__(self) -> None:
        _check_tensor("ImageTokens.tokens", self.tokens, "[T,M,C]", (None, None, None))
        _check_labels("ImageTokens", self.fps, self.name, self.model)

    def save(self, path: str | os.PathLike) -> None:
        """Write the tokens to one safetensors file, atomically."""
        header = {"fps": self.fps, "name": self.name, "model": self.model}
        write_value(path, "ImageTokens", header, {"tokens": _numpy(self.tokens)})

    @classmethod
    def load(cls, path: str | os.PathLike) -> ImageTokens:
        """Read tokens written by :meth:`save`; raises InputError."""
        header, arrays = read_value(path, "ImageTokens")
        return _build(path, cls, header, {key: torch.from_numpy(array) for key, array in arrays.items()})


@dataclass(frozen=True, eq=False)
class LatentSequence:
    """Shape latents [T,N,C] float32 of each frame, the ``model`` they belong to and the ``settings`` used.

    ``settings`` is kept as its own JSON copy (tuples become lists).
    """

    latents: Tensor  # [T,N,C]
    fps: float
    name: str
    model: str
    settings: dict = field(default_factory=dict)

    def __post_init__(self) -> None:
        _check_tensor("LatentSequence.latents", self.latents, "[T,N,C]", (None, None, None))
        _check_labels("LatentSequence", self.fps, self.name, self.model)
        object.__setattr__(self, "settings", _json_copy("LatentSequence.settings", self.settings))

    def save(self, path: str | os.PathLike) -> None:
        """Write the latents to one safetensors file, atomically."""
        header = {"fps": self.fps, "name": self.name, "model": self.model, "settings": self.settings}
        write_value(path, "LatentSequence", header, {"latents": _numpy(self.latents)})

    @classmethod
    def load(cls, path: str | os.PathLike) -> LatentSequence:
        """Read latents written by :meth:`save`; raises InputError."""
        header, arrays = read_value(path, "LatentSequence")
        return _build(path, cls, header, {key: torch.from_numpy(array) for key, array in arrays.items()})


@dataclass(frozen=True, eq=False)
class MeshSequence:
    """One triangle mesh per frame: vertices [V_t,3] float32, faces [F_t,3] int32, outside counter-clockwise.

    Frames may differ in topology and may be empty. ``normals`` are per vertex; ``uv`` [V,2] (origin bottom
    left) and ``texture`` [H,W,3|4] uint8 belong to all frames, so they need a fixed topology. ``settings`` is
    kept as its own JSON copy.
    """

    vertices: tuple[np.ndarray, ...]  # T x [V_t,3]
    faces: tuple[np.ndarray, ...]  # T x [F_t,3]
    fps: float
    name: str = "sequence"
    normals: tuple[np.ndarray, ...] | None = None  # T x [V_t,3]
    uv: np.ndarray | None = None  # [V,2]
    texture: np.ndarray | None = None  # [H,W,3|4]
    settings: dict = field(default_factory=dict)

    def __post_init__(self) -> None:
        for key in ("vertices", "faces", "normals"):
            frames = getattr(self, key)
            if frames is not None:
                object.__setattr__(self, key, tuple(frames))
        check_meshes(self.vertices, self.faces, self.normals, self.uv, self.texture)
        _check_labels("MeshSequence", self.fps, self.name)
        object.__setattr__(self, "settings", _json_copy("MeshSequence.settings", self.settings))

    @property
    def frame_count(self) -> int:
        """Number of frames T."""
        return len(self.vertices)

    @property
    def duration(self) -> float:
        """Length in seconds, T / fps."""
        return self.frame_count / self.fps

    @cached_property
    def fixed_topology(self) -> bool:
        """Whether all frames have the same vertex count and the same faces."""
        return same_topology(self.vertices, self.faces)

    def bounds(self) -> np.ndarray:
        """Lowest and highest corner over all frames, float32 [2,3]; raises InputError when all are empty."""
        filled = [frame for frame in self.vertices if len(frame)]
        if not filled:
            raise InputError(f"MeshSequence {self.name!r} has no vertices in any frame, so it has no bounds.")
        low = np.min([frame.min(axis=0) for frame in filled], axis=0)
        return np.stack([low, np.max([frame.max(axis=0) for frame in filled], axis=0)])

    def save(self, path: str | os.PathLike, check: Check | None = None) -> None:
        """Write the sequence to one safetensors file, atomically; shared faces are stored once.

        ``check`` is called between frames and may raise to cancel.
        """
        header = {"fps": self.fps, "name": self.name, "settings": self.settings}
        arrays = pack_meshes(self.vertices, self.faces, self.normals, self.uv, self.texture)
        write_value(path, "MeshSequence", header, arrays, check)

    @classmethod
    def load(cls, path: str | os.PathLike) -> MeshSequence:
        """Read a sequence written by :meth:`save`; raises InputError."""
        header, arrays = read_value(path, "MeshSequence")
        return _build(path, cls, header, unpack_meshes(path, arrays))


def _build(path: str | os.PathLike, cls: type, header: dict[str, Any], content: dict[str, Any]) -> Any:
    try:
        return cls(**header, **content)
    except (TypeError, InputError) as error:
        raise InputError(f"{path} does not describe a {cls.__name__}: {error}") from error


def _numpy(tensor: Tensor) -> np.ndarray:
    return tensor.detach().numpy()


def _check_tensor(name: str, value: Any, legend: str, shape: tuple[int | None, ...]) -> tuple[float, float]:
    """The smallest and the largest value of a tensor that fits; raises InputError for any other."""
    if not isinstance(value, Tensor):
        raise InputError(f"{name} is a {type(value).__name__}, accepted is a torch tensor {legend}.")
    fits = (want in (None, have) for want, have in zip(shape, value.shape))
    matches = value.dim() == len(shape) and all(fits)
    if not matches or value.numel() == 0:
        raise InputError(f"{name} has shape {list(value.shape)}, accepted is {legend} with nothing empty.")
    if value.dtype != torch.float32 or value.device.type != "cpu":
        raise InputError(f"{name} is {value.dtype} on {value.device}, accepted is torch.float32 on the CPU.")
    low, high = (float(end) for end in torch.aminmax(value))  # NaN where there is one; 30 times as fast as isfinite
    if not (math.isfinite(low) and math.isfinite(high)):
        raise InputError(f"{name} has values that are not finite (NaN or infinity).")
    return low, high


def _check_labels(owner: str, fps: float, *texts: str) -> None:
    if isinstance(fps, bool) or not isinstance(fps, (int, float)) or not math.isfinite(fps) or fps <= 0:
        raise InputError(f"{owner}.fps is {fps!r}, accepted is a positive number of frames per second.")
    for text in texts:
        if not isinstance(text, str) or text.encode("utf-8", "replace").decode() != text:
            raise InputError(f"{owner} has the label {text!r}, accepted are names that UTF-8 can hold.")


def _check_numbers(name: str, values: Any, count: int) -> None:
    if values is None:
        return
    numbers = isinstance(values, tuple) and all(isinstance(value, (int, float)) for value in values)
    if not numbers or len(values) != count or not all(math.isfinite(value) for value in values):
        raise InputError(f"{name} is {values!r}, accepted is a tuple of {count} finite numbers.")


def _json_copy(name: str, settings: Any) -> dict:
    if not isinstance(settings, dict):
        raise InputError(f"{name} is a {type(settings).__name__}, accepted is a dict.")
    try:
        return json.loads(json.dumps(settings, allow_nan=False))
    except (TypeError, ValueError, RecursionError) as error:
        raise InputError(f"{name} cannot be written as JSON ({error}).") from error
