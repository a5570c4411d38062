"""The texture a mesh of a stage shows, and the coordinates it is read at, one per vertex.

Specification: "UsdPreviewSurface Specification" of OpenUSD (UsdUVTexture, UsdPrimvarReader_float2, UsdTransform2d).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..usd_library import usd_module
from .usd_mesh import Topology, vectors

_USUAL_NAMES = ("st", "UVMap", "uv", "st0", "Texture_uv", "map1")


@dataclass(frozen=True, eq=False)
class Coordinates:
    """Texture coordinates ``uv`` [V',2] of vertices, each a copy of the point ``source`` [V'] of the mesh.

    The points keep their numbers; those that lie on a seam have copies behind them. ``faces`` [F,3] count vertices.
    """

    uv: np.ndarray
    source: np.ndarray
    faces: np.ndarray


@dataclass(frozen=True)
class Picture:
    """A picture's ``name`` in the file and ``path`` (empty when it is not there), and how it is looked up.

    ``primvar`` has the coordinates, of which ``placement`` [2,3] makes those that the picture is read at.
    """

    name: str
    path: str
    primvar: str
    placement: tuple[tuple[float, ...], ...] = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0))


def pictures_of(prim: Any) -> list[Picture | None]:
    """The base colour pictures of all materials a mesh prim is bound to; None for a material without one."""
    usd_shade = usd_module("UsdShade")
    binding = usd_shade.MaterialBindingAPI(prim)
    subsets = [subset.GetPrim() for subset in binding.GetMaterialBindSubsets()]
    prims = subsets or [prim]
    materials = [usd_shade.MaterialBindingAPI(part).ComputeBoundMaterial()[0] for part in prims]
    return list(dict.fromkeys(_picture(material) if material else None for material in materials))


def _picture(material: Any) -> Picture | None:
    surface = material.ComputeSurfaceSource()[0]
    if not surface:
        return None
    for name in ("diffuseColor", "emissiveColor"):
        texture = _feeding(surface, name)
        if texture is None or texture.GetShaderId() != "UsdUVTexture":
            continue
        file = _value(texture, "file")
        if file is not None and file.path:
            return Picture(file.path, str(file.resolvedPath), *_lookup(texture))
    return None


def _lookup(texture: Any) -> tuple[str, tuple[tuple[float, ...], ...]]:
    """The primvar a texture is looked up with, and the UsdTransform2d on the way."""
    placement, shader = np.eye(2, 3), _feeding(texture, "st")
    if shader is not None and shader.GetShaderId() == "UsdTransform2d":
        angle = math.radians(float(_value(shader, "rotation") or 0))
        turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
        scale, move = (_pair(shader, name, rest) for name, rest in (("scale", 1.0), ("translation", 0.0)))
        placement = np.concatenate([turn * scale, move[:, None]], axis=1)
        shader = _feeding(shader, "in")
    name = "" if shader is None else str(_value(shader, "varname") or "")
    return name, tuple(tuple(row) for row in placement.tolist())


def _pair(shader: Any, name: str, rest: float) -> np.ndarray:
    value = _value(shader, name)
    return np.full(2, rest) if value is None else np.array(value, np.float64).reshape(2)


def _feeding(shader: Any, name: str) -> Any:
    """The shader connected to an input, through node graphs; None when there is none."""
    entry = shader.GetInput(name)
    for attribute in entry.GetValueProducingAttributes() if entry else []:
        source = usd_module("UsdShade").Shader(attribute.GetPrim())
        if source and attribute.GetName().startswith("outputs:"):
            return source
    return None


def _value(shader: Any, name: str) -> Any:
    entry = shader.GetInput(name)
    attributes = entry.GetValueProducingAttributes() if entry else []
    return attributes[0].Get() if attributes else None


def coordinates_of(prim: Any, picture: Picture | None, topology: Topology, count: int, time: Any) -> Coordinates | None:
    """Coordinates of a mesh of ``count`` points; None when it has none, or none per point or corner."""
    api = usd_module("UsdGeom").PrimvarsAPI(prim)
    names = [picture.primvar] if picture and picture.primvar else _USUAL_NAMES
    primvar = next((entry for entry in map(api.FindPrimvarWithInheritance, names) if entry and entry.HasValue()), None)
    if primvar is None:
        return None
    uv = vectors(primvar.ComputeFlattened(time), 2, f"texture coordinates of {prim.GetPath()}")
    if picture is not None:
        placement = np.array(picture.placement)
        if not np.array_equal(placement, np.eye(2, 3)):
            uv = (uv @ placement[:, :2].T + placement[:, 2]).astype(np.float32)
    kind = primvar.GetInterpolation()
    if kind in ("vertex", "varying") and len(uv) == count:
        return Coordinates(uv, np.arange(count), topology.faces)
    if kind == "faceVarying" and len(uv) == len(topology.point_of_corner):
        return split_seams(topology, uv, count)
    return None


def split_seams(topology: Topology, uv: np.ndarray, count: int) -> Coordinates:
    """Coordinates ``uv`` [C,2] of corners as coordinates of vertices, with copies of the points on seams."""
    shown = np.unique(topology.corners)
    points, values = topology.point_of_corner[shown].astype(np.int64), uv[shown]
    distinct, value = np.unique(values, axis=0, return_inverse=True)
    pairs, pair = np.unique(points * max(len(distinct), 1) + value.reshape(-1), return_inverse=True)
    owners = pairs // max(len(distinct), 1)
    first = np.ones(len(pairs), bool)
    first[1:] = owners[1:] != owners[:-1]
    vertices = np.where(first, owners, count - 1 + np.cumsum(~first))
    source = np.concatenate([np.arange(count), owners[~first]])
    spread = np.zeros((len(source), 2), np.float32)
    spread[vertices] = distinct[pairs % max(len(distinct), 1)]
    vertex_of_corner = np.zeros(len(topology.point_of_corner), np.int32)
    vertex_of_corner[shown] = vertices[pair.reshape(-1)]
    return Coordinates(spread, source, vertex_of_corner[topology.corners])
