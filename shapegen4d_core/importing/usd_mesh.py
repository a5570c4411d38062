"""One mesh of a stage at a time: its points in the world, its polygons as triangles.

Specification: UsdGeomMesh of OpenUSD. Polygons are cut as fans from their first corner, holes are left open, and
subdivision surfaces are read as their cage.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import InputError
from ..usd_library import usd_module

INDEX_LIMIT = 2**28  # corners of one mesh
_MOVING = ("points", "faceVertexCounts", "faceVertexIndices", "visibility", "orientation", "holeIndices")


@dataclass(frozen=True, eq=False)
class Topology:
    """Triangles of one mesh: ``faces`` [F,3] int32 of points, ``corners`` [F,3] of the file's corners."""

    faces: np.ndarray
    corners: np.ndarray
    point_of_corner: np.ndarray  # [C]


class MeshReader:
    """The mesh prim ``prim``; topology that does not change is read once."""

    def __init__(self, prim: Any) -> None:
        self.prim, self.name = prim, str(prim.GetPath())
        self._mesh = usd_module("UsdGeom").Mesh(prim)
        parts = (self._mesh.GetFaceVertexCountsAttr(), self._mesh.GetFaceVertexIndicesAttr())
        self.constant = not any(part.ValueMightBeTimeVarying() for part in parts)
        self._kept: Topology | None = None

    def moving_attributes(self) -> list[Any]:
        """The attributes, of the mesh and what it hangs on, that change in time."""
        found, prim = [], self.prim
        while prim and not prim.IsPseudoRoot():
            for attribute in prim.GetAttributes():
                name = attribute.GetName()
                wanted = name.startswith("xformOp") or name in (_MOVING if prim == self.prim else ("visibility",))
                if wanted and attribute.ValueMightBeTimeVarying():
                    found.append(attribute)
            prim = prim.GetParent()
        return found

    def visible(self, time: Any) -> bool:
        """Whether it is shown."""
        return self._mesh.ComputeVisibility(time) != "invisible"

    def points(self, time: Any) -> np.ndarray:
        """Points [V,3] float32 in the mesh's own space."""
        return vectors(self._mesh.GetPointsAttr().Get(time), 3, f"points of {self.name}")

    def normals(self, time: Any) -> np.ndarray:
        """Normals [V,3] float32, one per point, in the mesh's own space."""
        return vectors(self._mesh.GetNormalsAttr().Get(time), 3, f"normals of {self.name}")

    def topology(self, time: Any, point_count: int) -> Topology:
        """Its triangles; raises InputError for counts and indices that do not fit each other or the points."""
        if self._kept is None or not self.constant:
            counts = _integers(self._mesh.GetFaceVertexCountsAttr().Get(time))
            indices = _integers(self._mesh.GetFaceVertexIndicesAttr().Get(time))
            holes = _integers(self._mesh.GetHoleIndicesAttr().Get(time))
            mirrored = self._mesh.GetOrientationAttr().Get(time) == "leftHanded"
            self._kept = triangulate(counts, indices, holes, mirrored, self.name)
        faces = self._kept.faces
        if len(faces) and (faces.min() < 0 or faces.max() >= point_count):
            raise InputError(f"{self.name} has indices {faces.min()}..{faces.max()} for {point_count} points")
        return self._kept


def triangulate(
    counts: np.ndarray, indices: np.ndarray, holes: np.ndarray, mirrored: bool, name: str = "the mesh"
) -> Topology:
    """Polygons of ``counts`` [P] corners each, ``indices`` [C] of points, as triangles, without the ``holes``.

    ``mirrored`` turns faces that are clockwise seen from outside. Raises InputError for counts that do not fit.
    """
    if len(indices) > INDEX_LIMIT:
        raise InputError(f"{name} has {len(indices)} corners, at most {INDEX_LIMIT} are read")
    if len(counts) and counts.min() < 3:
        raise InputError(f"{name} has a face of {counts.min()} corners, accepted are three and more")
    if int(counts.sum(dtype=np.int64)) != len(indices):
        raise InputError(f"{name} has faces of {counts.sum(dtype=np.int64)} corners, but {len(indices)} indices")
    starts = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts, dtype=np.int64)])[:-1]
    filled = np.ones(len(counts), bool)
    filled[holes[(holes >= 0) & (holes < len(counts))]] = False
    starts, pieces = starts[filled], counts[filled].astype(np.int64) - 2
    first = np.repeat(starts, pieces)
    number = np.arange(len(first)) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    corners = np.stack([first, first + number + 1, first + number + 2], axis=1)
    if mirrored:
        corners = corners[:, [0, 2, 1]]
    return Topology(np.ascontiguousarray(indices[corners], np.int32).reshape(-1, 3), corners, indices)


def vectors(value: Any, width: int, where: str) -> np.ndarray:
    """An array of the library as float32 [K,width]; nothing is an empty one. Raises InputError for other values."""
    array = np.array([] if value is None else value)
    if array.size == 0:
        return np.zeros((0, width), np.float32)
    if array.ndim != 2 or array.shape[1] != width or array.dtype.kind != "f":
        raise InputError(f"the {where} are {array.dtype} {list(array.shape)}, accepted are {width} numbers each")
    with np.errstate(over="ignore"):
        array = array.astype(np.float32)
    if not np.isfinite(array).all():
        raise InputError(f"the {where} are not all finite numbers")
    return array


def _integers(value: Any) -> np.ndarray:
    return np.array([] if value is None else value, np.int32).reshape(-1)
