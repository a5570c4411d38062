"""The animated mesh an imported file becomes: constant faces, vertices per frame, and what colours them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import InputError
from ..sequence import MeshSequence


@dataclass(frozen=True, eq=False)
class Material:
    """The base colour of faces: ``colour`` (red, green, blue, alpha) 0..1 linear, times ``texture`` if there is one.

    ``texture`` [H,W,3|4] uint8 is sRGB, row 0 on top, and repeats outside 0..1.
    """

    name: str
    colour: tuple[float, float, float, float] = (1.0, 1.0, 1.0, 1.0)
    texture: np.ndarray | None = None  # [H,W,3|4]
    double_sided: bool = False

    def __post_init__(self) -> None:
        if len(self.colour) != 4 or not all(math.isfinite(value) and 0 <= value <= 1 for value in self.colour):
            raise InputError(f"Material.colour is {self.colour!r}, accepted are four numbers 0..1.")
        texture = self.texture
        if texture is not None and (texture.dtype != np.uint8 or texture.ndim != 3 or texture.shape[2] not in (3, 4)):
            raise InputError("Material.texture must be a uint8 array [H,W,3] or [H,W,4].")


@dataclass(frozen=True, eq=False)
class AnimatedMesh:
    """One mesh of constant topology moving through T frames in world space (y up, front +z, the file's own units).

    ``vertices`` [T,V,3] float32, ``faces`` [F,3] int32 (outside counter-clockwise), ``uv`` [V,2] float32 with v down
    as in glTF, ``colours`` [V,3] uint8 linear vertex colours, ``face_material`` [F] int32 into ``materials``,
    ``root`` [T,3] float32 the position of the skeleton's root joint, None without a skin. Raises InputError.
    """

    vertices: np.ndarray  # [T,V,3]
    faces: np.ndarray  # [F,3]
    fps: float
    name: str
    face_material: np.ndarray  # [F]
    materials: tuple[Material, ...]
    uv: np.ndarray | None = None  # [V,2]
    colours: np.ndarray | None = None  # [V,3]
    root: np.ndarray | None = None  # [T,3]

    def __post_init__(self) -> None:
        vertices, faces = self.vertices, self.faces
        _check("vertices", vertices, np.float32, (None, None, 3))
        _check("faces", faces, np.int32, (None, 3))
        frame_count, vertex_count = vertices.shape[:2]
        _check("face_material", self.face_material, np.int32, (len(faces),))
        for name, dtype, shape in (
            ("uv", np.float32, (vertex_count, 2)),
            ("colours", np.uint8, (vertex_count, 3)),
            ("root", np.float32, (frame_count, 3)),
        ):
            if getattr(self, name) is not None:
                _check(name, getattr(self, name), dtype, shape)
        if frame_count == 0:
            raise InputError("AnimatedMesh.vertices has no frames, accepted is at least one.")
        if not (math.isfinite(self.fps) and self.fps > 0):
            raise InputError(f"AnimatedMesh.fps is {self.fps!r}, accepted is a positive number.")
        _check_indices("faces", faces, vertex_count)
        _check_indices("face_material", self.face_material, len(self.materials))

    @property
    def frame_count(self) -> int:
        """Number of frames T."""
        return len(self.vertices)


def to_sequence(mesh: AnimatedMesh) -> MeshSequence:
    """The frames of ``mesh`` as a MeshSequence that shares one face array.

    A texture travels along when exactly one material has one and it colours every face, with uv turned to the bottom
    left origin of a MeshSequence; base colour factors, vertex colours and further materials do not.
    """
    used = {int(index) for index in np.unique(mesh.face_material)}
    texture = mesh.materials[used.pop()].texture if len(used) == 1 else None
    uv = None
    if mesh.uv is not None:
        uv = np.ascontiguousarray(np.stack([mesh.uv[:, 0], 1 - mesh.uv[:, 1]], axis=1))
    return MeshSequence(
        vertices=tuple(mesh.vertices),
        faces=(mesh.faces,) * mesh.frame_count,
        fps=mesh.fps,
        name=mesh.name,
        uv=uv,
        texture=texture if uv is not None else None,
    )


def _check(name: str, array: Any, dtype: type, shape: tuple[int | None, ...]) -> None:
    fits = isinstance(array, np.ndarray) and array.dtype == dtype and array.ndim == len(shape)
    if not fits or any(want not in (None, have) for want, have in zip(shape, array.shape)):
        given = f"{array.dtype} {list(array.shape)}" if isinstance(array, np.ndarray) else type(array).__name__
        legend = ", ".join("any" if size is None else str(size) for size in shape)
        raise InputError(f"AnimatedMesh.{name} is {given}, accepted is {np.dtype(dtype)} [{legend}].")
    if not np.isfinite(array).all():
        raise InputError(f"AnimatedMesh.{name} has values that are not finite (NaN or infinity).")


def _check_indices(name: str, indices: np.ndarray, count: int) -> None:
    if len(indices) and (indices.min() < 0 or indices.max() >= count):
        raise InputError(
            f"AnimatedMesh.{name} spans {indices.min()}..{indices.max()}, accepted is 0..{count - 1}."
        )
