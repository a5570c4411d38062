"""The mesh prim of a sequence: points, normals and extent per frame, topology where it changes (UsdGeomMesh).

Frame t is the sample at time code t. A reader blends the points of two samples when both have as many; that is right
as long as the topology is constant. Where two successive frames have as many vertices but other faces, the earlier
frame is sampled again just before the later one, so that it holds.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..progress import Check
from ..sequence import MeshSequence
from ..usd_library import usd_module
from .surfaces import Surfaces
from .usd_space import StageSpace

_JUST_BEFORE = 2.0**-10  # of a frame


class MeshPrim:
    """Writes the frames of one sequence into a new mesh prim at ``path`` of ``stage``, one call per frame."""

    def __init__(
        self, stage: Any, path: str, sequence: MeshSequence, space: StageSpace, check: Check | None = None
    ) -> None:
        self._vt, self._usd_geom = usd_module("Vt"), usd_module("UsdGeom")
        self._sequence, self._space, self._surfaces = sequence, space, Surfaces(sequence, check)
        self._mesh = self._usd_geom.Mesh.Define(stage, path)
        self._closed = True

    @property
    def prim(self) -> Any:
        """The prim."""
        return self._mesh.GetPrim()

    def write_frame(self, frame: int) -> int:
        """Write the samples of one frame; return how many bytes of arrays they are."""
        arrays = self._moving(frame)
        if not self._sequence.fixed_topology:
            arrays.update(self._topology(frame))
            self._closed = self._closed and self._surfaces.closed(frame)
        times = [float(frame)]
        if self._must_hold(frame):
            times.append(frame + 1 - _JUST_BEFORE)
        for attribute, value in self._values(arrays):
            for time in times:
                attribute.Set(value, time)
        return sum(array.nbytes for array in arrays.values())

    def write_constants(self, still: int) -> None:
        """Write what belongs to all frames, and frame ``still`` for readers that ignore time, after the frames."""
        self._closed = self._closed and self._surfaces.closed(still)
        mesh, tokens = self._mesh, self._usd_geom.Tokens
        arrays = self._moving(still) | self._topology(still)
        for attribute, value in self._values(arrays):
            attribute.Set(value)
        mesh.CreateSubdivisionSchemeAttr(tokens.none)
        mesh.CreateOrientationAttr(tokens.rightHanded)
        mesh.CreateDoubleSidedAttr(not self._closed)
        mesh.SetNormalsInterpolation(tokens.vertex)
        if self._sequence.uv is not None:
            types, api = usd_module("Sdf").ValueTypeNames, self._usd_geom.PrimvarsAPI(self._mesh)
            st = api.CreatePrimvar("st", types.TexCoord2fArray, tokens.vertex)
            st.Set(self._vt.Vec2fArray.FromNumpy(np.ascontiguousarray(self._sequence.uv, np.float32)))

    def _moving(self, frame: int) -> dict[str, np.ndarray]:
        points = self._space.points(self._sequence.vertices[frame])
        corners = np.zeros((2, 3), np.float32)  # of a frame without points
        if len(points):
            corners = np.stack([points.min(axis=0), points.max(axis=0)])
        normals = self._space.directions(self._surfaces.normals(frame))
        return {"Points": points, "Normals": normals, "Extent": corners}

    def _topology(self, frame: int) -> dict[str, np.ndarray]:
        faces = self._sequence.faces[frame]
        return {"FaceVertexCounts": np.full(len(faces), 3, np.int32), "FaceVertexIndices": faces.reshape(-1)}

    def _values(self, arrays: dict[str, np.ndarray]) -> list[tuple[Any, Any]]:
        """Attributes and their values."""
        pairs = []
        for name, array in arrays.items():
            kind = self._vt.IntArray if array.ndim == 1 else self._vt.Vec3fArray
            attribute = getattr(self._mesh, f"Create{name}Attr")()
            pairs.append((attribute, kind.FromNumpy(np.ascontiguousarray(array))))
        return pairs

    def _must_hold(self, frame: int) -> bool:
        vertices, faces = self._sequence.vertices, self._sequence.faces
        if self._sequence.fixed_topology or frame + 1 == self._sequence.frame_count:
            return False
        return len(vertices[frame]) == len(vertices[frame + 1]) and not np.array_equal(faces[frame], faces[frame + 1])
