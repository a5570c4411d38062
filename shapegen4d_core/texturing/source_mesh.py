"""A textured mesh as a source of colours: arrays, a glTF file or a trimesh object.

V vertices, F faces, P points. uv has its origin bottom left; textures are sRGB, row 0 on top, and repeat.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from ..errors import InputError

_WHITE = (1.0, 1.0, 1.0)


@dataclass(frozen=True, eq=False)
class SourceMesh:
    """``vertices`` [V,3], ``faces`` [F,3] and what colours them; raises InputError when nothing does.

    ``uv`` [V,2] float32 with ``textures`` (each [H,W,3|4] uint8, or None for a plain material), ``colours`` [V,3]
    float32 0..1 sRGB per vertex, ``factors`` one sRGB colour per material; ``material`` [F] chooses among textures and
    factors. Everything given is multiplied.
    """

    vertices: np.ndarray
    faces: np.ndarray
    uv: np.ndarray | None = None
    textures: tuple[np.ndarray | None, ...] = (None,)
    colours: np.ndarray | None = None
    factors: tuple[tuple[float, float, float], ...] = (_WHITE,)
    material: np.ndarray | None = None

    def __post_init__(self) -> None:
        for name, columns in (("vertices", 3), ("faces", 3), ("uv", 2), ("colours", 3)):
            array = getattr(self, name)
            if array is not None and (array.ndim != 2 or array.shape[1] != columns or len(array) == 0):
                raise InputError(f"The textured mesh has {name} {list(array.shape)}, accepted is [n,{columns}].")
        for name in ("uv", "colours"):
            array = getattr(self, name)
            if array is not None and len(array) != len(self.vertices):
                raise InputError(f"The textured mesh has {len(array)} {name} for {len(self.vertices)} vertices.")
        if self.faces.min() < 0 or self.faces.max() >= len(self.vertices):
            raise InputError("The textured mesh has faces that point at vertices it does not have.")
        if not np.isfinite(self.vertices).all():
            raise InputError("The textured mesh has vertices that are not finite.")
        painted = self.uv is not None and any(texture is not None for texture in self.textures)
        if not painted and self.colours is None and all(factor == _WHITE for factor in self.factors):
            raise InputError("The textured mesh has neither a texture with uv nor vertex colours; texture it first.")

    def colour_at(self, face: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Stored colours [P,3] float32 0..1 at barycentric ``weights`` [P,3] of faces [P]."""
        corners = self.faces[face]
        material = np.zeros(len(face), np.int64) if self.material is None else self.material[face]
        colour = np.asarray(self.factors, np.float32)[material]
        if self.colours is not None:
            colour = colour * (self.colours[corners] * weights[..., None]).sum(axis=1)
        if self.uv is not None:
            place = torch.from_numpy((self.uv[corners] * weights[..., None]).sum(axis=1).astype(np.float32))
            for number, texture in enumerate(self.textures):
                rows = np.flatnonzero(material == number)
                if texture is not None and len(rows):
                    colour[rows] *= _read(texture, place[torch.from_numpy(rows)])
        return colour.astype(np.float32)


def _read(texture: np.ndarray, uv: torch.Tensor) -> np.ndarray:
    from ..rendering.textured import sample_texture

    whole = torch.from_numpy(texture[..., :3] / np.float32(255))
    repeated = torch.where((uv < 0) | (uv > 1), uv - uv.floor(), uv)
    return sample_texture(whole, repeated).numpy()


def source_from(mesh: Any) -> SourceMesh:
    """A SourceMesh of a path to a .glb or .gltf file, a trimesh mesh or scene, or a SourceMesh itself.

    Raises InputError for anything else and for meshes without colours.
    """
    if isinstance(mesh, SourceMesh):
        return mesh
    if isinstance(mesh, (str, os.PathLike)):
        return _from_file(mesh)
    if hasattr(mesh, "to_geometry") or hasattr(mesh, "to_mesh"):  # trimesh scenes
        mesh = mesh.to_mesh() if hasattr(mesh, "to_mesh") else mesh.to_geometry()
    if hasattr(mesh, "visual") and hasattr(mesh, "faces"):
        return _from_trimesh(mesh)
    raise InputError(f"The textured mesh is a {type(mesh).__name__}, accepted are a GLB file and a trimesh mesh.")


def _from_file(path: str | os.PathLike) -> SourceMesh:
    from ..importing import load_animated

    mesh = load_animated(path, frames=1)
    uv = None if mesh.uv is None else np.stack([mesh.uv[:, 0], 1 - mesh.uv[:, 1]], axis=1)
    colours = None if mesh.colours is None else _stored(mesh.colours / 255)
    factors = tuple(tuple(float(value) for value in _stored(np.array(m.colour[:3]))) for m in mesh.materials)
    textures = tuple(material.texture for material in mesh.materials)
    return SourceMesh(mesh.vertices[0], mesh.faces, uv, textures, colours, factors, mesh.face_material)


def _from_trimesh(mesh: Any) -> SourceMesh:
    vertices, faces = np.asarray(mesh.vertices, np.float32), np.asarray(mesh.faces, np.int32)
    visual = mesh.visual
    image = _image(getattr(visual, "material", None))
    uv = getattr(visual, "uv", None)
    if image is not None and uv is not None:
        return SourceMesh(vertices, faces, np.asarray(uv, np.float32), (image,))
    if getattr(visual, "kind", None) == "vertex":
        return SourceMesh(vertices, faces, colours=np.asarray(visual.vertex_colors, np.float32)[:, :3] / 255)
    return SourceMesh(vertices, faces)  # raises


def _image(material: Any) -> np.ndarray | None:
    """Colours of a trimesh material [H,W,3] uint8."""
    picture = getattr(material, "baseColorTexture", None) or getattr(material, "image", None)
    return None if picture is None else np.asarray(picture.convert("RGB"))


def _stored(linear: np.ndarray) -> np.ndarray:
    from .colour import to_stored

    return to_stored(np.asarray(linear, np.float64), True).astype(np.float32)


def source_from_arrays(
    vertices: Any, faces: Any, uv: Any = None, colours: Any = None, texture: Any = None
) -> SourceMesh:
    """A SourceMesh of one mesh as hosts and files hold it: uv [V,2] with v down, texture [H,W,3|4] float 0..1.

    ``colours`` [V,3|4] are 0..1 as shown. Tensors or arrays; raises InputError.
    """
    arrays = [None if given is None else np.asarray(given) for given in (vertices, faces, uv, colours, texture)]
    vertices, faces, uv, colours, texture = arrays
    if uv is not None and uv.ndim == 2 and uv.shape[1] == 2:
        uv = np.stack([uv[:, 0], 1 - uv[:, 1]], axis=1).astype(np.float32)
    textures: tuple[np.ndarray | None, ...] = (None,)
    if texture is not None and uv is not None:
        textures = ((texture[..., :3].astype(np.float32).clip(0, 1) * 255 + 0.5).astype(np.uint8),)
    colours = None if colours is None else colours[..., :3].astype(np.float32)
    return SourceMesh(vertices.astype(np.float32), faces.astype(np.int32), uv, textures, colours)
