"""All meshes of a stage together: what a frame shows, and the texture coordinates and texture of the whole."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError
from ..usd_library import usd_module
from .load import BYTES_LIMIT
from .materials import decode_picture
from .usd_files import picture_content
from .usd_mesh import MeshReader
from .usd_space import Space
from .usd_texture import Coordinates, Picture, coordinates_of, pictures_of

MESH_LIMIT, PRIM_LIMIT = 20_000, 500_000  # instances within instances multiply without end
_SHOWN = ("default", "render")  # purposes; the others are guides and stand-ins


class UsdScene:
    """The meshes of one opened ``stage``; ``warn`` takes a sentence about what cannot be kept."""

    def __init__(self, stage: Any, warn: Callable[[str], None]) -> None:
        self._warn, self._usd_geom = warn, usd_module("UsdGeom")
        self.space = Space.of(stage)
        self.readers = [MeshReader(prim) for prim in self._mesh_prims(stage)]
        if not self.readers:
            raise InputError("the stage shows no mesh")
        self.moving = [attribute for reader in self.readers for attribute in reader.moving_attributes()]
        self._coordinates: list[Coordinates | None] = [None] * len(self.readers)
        self._last: tuple[tuple, np.ndarray] | None = None

    def vertices(self, time: Any) -> tuple[np.ndarray, np.ndarray]:
        """World vertices [V,3] float32 and faces [F,3] int32 of one frame; equal faces are one array."""
        cache, parts, faces, start, size = self._usd_geom.XformCache(time), [], [], 0, 0
        key: tuple = ()
        for reader, coordinates in zip(self.readers, self._coordinates):
            if not reader.visible(time):
                key += (None,)
                continue
            points = reader.points(time)
            topology = reader.topology(time, len(points))
            matrix = np.array(cache.GetLocalToWorldTransform(reader.prim))
            placed = self.space.placed(points, matrix)
            own = topology.faces
            if coordinates is not None:
                placed, own = placed[coordinates.source], coordinates.faces
            mirrored = bool(np.linalg.det(matrix[:3, :3]) < 0)
            parts.append(placed)
            faces.append((own[:, ::-1] if mirrored else own) + np.int32(start))
            start += len(placed)
            size += placed.nbytes + own.nbytes
            if size > BYTES_LIMIT:
                raise InputError(f"one frame takes more than {BYTES_LIMIT >> 30} GiB, the most that is read")
            key += (topology, mirrored, len(placed))
        if not parts:
            return np.zeros((0, 3), np.float32), np.zeros((0, 3), np.int32)
        return np.concatenate(parts), self._shared(key, faces)

    def normals(self, time: Any) -> np.ndarray:
        """Normals [V,3] float32 of a stage of ours, which has one mesh that hangs on nothing that turns."""
        return np.ascontiguousarray(self.space.directions(self.readers[0].normals(time)))

    def keeps_topology(self) -> bool:
        """Whether no mesh changes its faces or comes and goes."""
        names = {attribute.GetName() for attribute in self.moving}
        return all(reader.constant for reader in self.readers) and not names & {"visibility", "orientation"}

    def is_painted(self) -> bool:
        """Whether any mesh shows a picture."""
        return any(picture is not None for reader in self.readers for picture in pictures_of(reader.prim))

    def take_coordinates(self, time: Any, folder: Path) -> tuple[np.ndarray | None, np.ndarray | None]:
        """Texture coordinates [V,2] of all vertices and the texture they all share; None for what there is not.

        Frames read afterwards have the vertices that these belong to, which are more than points where seams are.
        """
        found = [self._picture(reader) for reader in self.readers]
        coordinates = [self._read_coordinates(reader, time, entry) for reader, entry in zip(self.readers, found)]
        if not any(coordinates):
            return None, None
        if not all(coordinates):
            self._warn("some of its meshes have no texture coordinates, so those of the others are left out")
            return None, None
        self._coordinates = coordinates
        uv = np.concatenate([entry.uv for entry in coordinates if entry is not None])
        shown = {(picture.name, picture.path) for picture in found if picture is not None}
        if len(shown) == 1 and None not in found:
            return uv, self._texture(*shown.pop(), folder)
        if shown:
            self._warn("its faces show more than one material, so the texture is left out")
        return uv, None

    def _read_coordinates(self, reader: MeshReader, time: Any, picture: Picture | None) -> Coordinates | None:
        count = len(reader.points(time))
        return coordinates_of(reader.prim, picture, reader.topology(time, count), count, time)

    def _picture(self, reader: MeshReader) -> Picture | None:
        pictures = pictures_of(reader.prim)
        if len(pictures) > 1:
            self._warn(f"{reader.name} has several materials, so its texture is left out")
            return None
        return pictures[0]

    def _texture(self, name: str, path: str, folder: Path) -> np.ndarray | None:
        if not path:
            self._warn(f"its texture {name[-80:]!r} is not there and is left out")
            return None
        return decode_picture(picture_content(path, folder), "the texture")

    def _shared(self, key: tuple, faces: list[np.ndarray]) -> np.ndarray:
        if self._last is None or self._last[0] != key:
            self._last = key, np.ascontiguousarray(np.concatenate(faces))
        return self._last[1]

    def _mesh_prims(self, stage: Any) -> list[Any]:
        usd, found, dropped = usd_module("Usd"), [], set()
        walk = iter(usd.PrimRange.Stage(stage, usd.TraverseInstanceProxies()))
        for number, prim in enumerate(walk, 1):
            if number > PRIM_LIMIT or len(found) > MESH_LIMIT:
                raise InputError(f"it has over {PRIM_LIMIT} prims or {MESH_LIMIT} meshes, the most that are read")
            if prim.IsA(self._usd_geom.PointInstancer):
                dropped.add("PointInstancer")
                walk.PruneChildren()
            elif not prim.IsA(self._usd_geom.Gprim) or self._usd_geom.Imageable(prim).ComputePurpose() not in _SHOWN:
                continue
            elif prim.IsA(self._usd_geom.Mesh):
                found.append(prim)
            else:
                dropped.add(str(prim.GetTypeName()))
        if dropped:
            self._warn(f"only its meshes are read, without its {', '.join(sorted(dropped))}")
        return found
