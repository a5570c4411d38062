"""The meshes of a scene placed in the world: one vertex list with constant faces, posed frame by frame."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from ..errors import InputError
from .accessors import Accessors
from .animated_mesh import Material
from .animation import Poses
from .container import Gltf
from .fields import integer, items, numbers
from .materials import Paint, Paints, plain_paint
from .nodes import Nodes
from .primitives import Surface, read_surface
from .skinning import Influence, Skin

VERTEX_LIMIT = 10_000_000
FACE_LIMIT = 4 * VERTEX_LIMIT
PIECE_LIMIT = 200_000
World = np.ndarray | dict[int, np.ndarray]  # world matrices by node: of all [N,4,4], or of those that count


@dataclass
class Piece:
    """A surface carried by a node; ``influence`` and ``skin`` when it is skinned, ``rest`` [M] its morph weights."""

    node: int
    surface: Surface
    rest: np.ndarray
    skin: Skin | None = None
    influence: Influence | None = None

    def placed(self, world: World, weights: np.ndarray | None) -> np.ndarray:
        """World positions [V,3] float64 in one pose of the nodes; ``weights`` [M] are the animated ones."""
        positions = self.surface.morphed(self.rest if weights is None else weights)
        if self.skin is not None and self.influence is not None:
            return self.influence.blend(positions, self.skin.matrices(world))
        matrix = world[self.node]
        return positions @ matrix[:3, :3].T + matrix[:3, 3]

    def faces(self, world: World) -> np.ndarray:
        """Faces [F,3], turned over when the pose mirrors the surface (glTF 2.0, section 3.7.4)."""
        matrices = world[self.node][None] if self.skin is None else self.skin.matrices(world)
        mirrored = np.median(np.linalg.det(matrices[:, :3, :3])) < 0
        return self.surface.faces[:, ::-1] if mirrored else self.surface.faces


@dataclass
class Scene:
    """Pieces [in order of the nodes shown] and everything about them that does not move."""

    pieces: list[Piece]
    faces: np.ndarray  # [F,3] int32
    face_material: np.ndarray  # [F] int32
    materials: tuple[Material, ...]
    uv: np.ndarray | None
    colours: np.ndarray | None

    @property
    def vertex_count(self) -> int:
        """Number of vertices V."""
        return sum(len(piece.surface.positions) for piece in self.pieces)

    @property
    def root(self) -> int | None:
        """The node of the first skin's root joint; None without a skin."""
        return next((piece.skin.root for piece in self.pieces if piece.skin is not None), None)

    def vertices(self, poses: Poses, frame: int, world: World) -> np.ndarray:
        """World positions [V,3] float32 of one frame; raises InputError when they leave the range of float32."""
        with np.errstate(all="ignore"):
            placed = [piece.placed(world, poses.weights(piece.node, frame)) for piece in self.pieces]
            vertices = np.concatenate(placed).astype(np.float32)
        if not np.isfinite(vertices).all():
            raise InputError(f"the vertices of frame {frame} are too large or not finite")
        return vertices


class Meshes:
    """The meshes, skins and materials of a file, each read once when a node shows it."""

    def __init__(self, gltf: Gltf, accessors: Accessors, nodes: Nodes) -> None:
        self._gltf, self._accessors, self._nodes = gltf, accessors, nodes
        self._surfaces: dict[int, list[Surface]] = {}
        self._skins: dict[int, Skin] = {}
        self._influences: dict[tuple[int, int, int], Influence] = {}
        self._paints = Paints(gltf)
        self._painted: dict[int | None, Paint] = {}

    def scene(self, shown: Iterable[int], world: World) -> Scene:
        """The pieces of the nodes ``shown``; ``world`` is the pose that decides which faces are mirrored.

        Raises InputError when there is no triangle or too much.
        """
        pieces: list[Piece] = []
        for node in shown:
            pieces += self._pieces(node)
            if len(pieces) > PIECE_LIMIT:
                raise InputError(f"it shows over {PIECE_LIMIT} pieces of meshes, the most that are read")
        counts = [len(piece.surface.positions) for piece in pieces]
        if sum(counts) > VERTEX_LIMIT:
            raise InputError(f"it shows {sum(counts)} vertices, at most {VERTEX_LIMIT} are read")
        face_count = sum(len(piece.surface.faces) for piece in pieces)
        if face_count > FACE_LIMIT:
            raise InputError(f"it shows {face_count} triangles, at most {FACE_LIMIT} are read")
        if not any(len(piece.surface.faces) for piece in pieces):
            raise InputError("the scene shows no triangles")
        starts = np.cumsum([0, *counts[:-1]])
        numbers_of: dict[int | None, int] = {}
        for piece in pieces:
            numbers_of.setdefault(piece.surface.material, len(numbers_of))
        paints = [self._paint(material) for material in numbers_of]
        rows = [np.full(len(piece.surface.faces), numbers_of[piece.surface.material], np.int32) for piece in pieces]
        faces = [piece.faces(world) + np.int32(start) for piece, start in zip(pieces, starts)]
        return Scene(
            pieces=pieces,
            faces=np.concatenate(faces).astype(np.int32),
            face_material=np.concatenate(rows),
            materials=tuple(paint.material for paint in paints),
            uv=_together([self._uv(piece.surface) for piece in pieces], counts, 2, 0, np.float32),
            colours=_together([piece.surface.colours for piece in pieces], counts, 3, 255, np.uint8),
        )

    def _pieces(self, node: int) -> list[Piece]:
        entry, where = self._nodes.entries[node], f"node {node}"
        if "mesh" not in entry:
            return []
        index = integer(entry, "mesh", where)
        mesh = self._gltf.entry("meshes", index, where)
        surfaces = self._surfaces_of(index, mesh)
        count = max((len(surface.targets) for surface in surfaces), default=0)
        rest = numbers(mesh, "weights", f"mesh {index}", [0.0] * count)
        rest = numbers(entry, "weights", where, rest.tolist(), count)
        if any(len(surface.targets) != count for surface in surfaces):
            raise InputError(f"mesh {index} has primitives with different numbers of morph targets")
        skin_index = integer(entry, "skin", where) if "skin" in entry else None
        return [self._piece(node, index, number, surface, rest, skin_index) for number, surface in enumerate(surfaces)]

    def _piece(self, node: int, mesh: int, number: int, surface: Surface, rest: np.ndarray, skin: int | None) -> Piece:
        if skin is None:
            return Piece(node, surface, rest)
        if skin not in self._skins:
            entry = self._gltf.entry("skins", skin, f"node {node}")
            self._skins[skin] = Skin(self._accessors, self._nodes, entry, f"skin {skin}")
        if surface.joints is None:
            raise InputError(f"node {node} has a skin, but primitive {number} of mesh {mesh} has no JOINTS_0")
        key, where = (mesh, number, skin), f"primitive {number} of mesh {mesh}"
        if key not in self._influences:
            self._influences[key] = Influence(surface, len(self._skins[skin].joints), where)
        return Piece(node, surface, rest, self._skins[skin], self._influences[key])

    def _surfaces_of(self, index: int, mesh: dict) -> list[Surface]:
        if index not in self._surfaces:
            found = [
                read_surface(self._accessors, primitive, f"primitive {number} of mesh {index}")
                for number, primitive in enumerate(items(mesh, "primitives", f"mesh {index}"))
            ]
            self._surfaces[index] = [surface for surface in found if surface is not None]
        return self._surfaces[index]

    def _paint(self, material: int | None) -> Paint:
        if material not in self._painted:
            read = plain_paint() if material is None else self._paints.read(material, "a primitive")
            self._painted[material] = read
        return self._painted[material]

    def _uv(self, surface: Surface) -> np.ndarray | None:
        paint = self._paint(surface.material)
        uv = surface.uv.get(paint.texcoord)
        return None if uv is None else paint.placed(uv)


def _together(
    rows: list[np.ndarray | None], counts: list[int], width: int, fill: int, dtype: type
) -> np.ndarray | None:
    """One array of all pieces, ``fill`` where a piece has none; None when no piece has any."""
    if all(row is None for row in rows):
        return None
    filled = [np.full((count, width), fill, dtype) if row is None else row for row, count in zip(rows, counts)]
    return np.ascontiguousarray(np.concatenate(filled))
