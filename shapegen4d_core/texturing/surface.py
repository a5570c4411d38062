"""The moving surface a texture is made for: one topology cut at its seams, and the same welded together.

T frames, V vertices after cutting, W places after welding, F faces. Vertices that coincide in every frame looked at
are one place, so that normals and colours do not break at seams.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..errors import InputError
from ..geometry.mesh import is_closed, vertex_normals
from ..progress import Check, Progress
from ..sequence import MeshSequence
from .unwrap import Unwrapped, unwrap

_WELD_FRAMES = 4  # frames in which vertices must coincide to be one place


@dataclass(frozen=True, eq=False)
class Surface:
    """Original vertices T x [V0,3], the cut made of them, and the place [V] int64 each cut vertex belongs to."""

    original: tuple[np.ndarray, ...]
    cut: Unwrapped
    place: np.ndarray
    place_count: int
    closed: bool

    @cached_property
    def half_box(self) -> float:
        """Half the longest side of the box around all frames: the unit of lengths in settings and reports."""
        low = np.min([frame.min(axis=0) for frame in self.original], axis=0)
        high = np.max([frame.max(axis=0) for frame in self.original], axis=0)
        return float((high - low).max()) / 2

    @property
    def faces(self) -> np.ndarray:
        """Faces [F,3] int32 over the cut vertices."""
        return self.cut.faces

    @property
    def welded(self) -> np.ndarray:
        """Faces [F,3] int64 over places."""
        return self.place[self.cut.faces]

    def vertices(self, frame: int) -> np.ndarray:
        """Cut vertices of a frame, float32 [V,3]."""
        return self.original[frame][self.cut.vertex]

    def places(self, frame: int) -> np.ndarray:
        """Positions of the places in a frame, float32 [W,3]."""
        positions = np.zeros((self.place_count, 3), np.float32)
        positions[self.place] = self.vertices(frame)
        return positions

    def normals(self, frame: int) -> np.ndarray:
        """Smooth unit normals of the cut vertices in a frame, float32 [V,3], equal on both sides of a seam."""
        return vertex_normals(self.places(frame), self.welded)[self.place]

    def sequence(self, meshes: MeshSequence, texture: np.ndarray) -> MeshSequence:
        """The frames of ``meshes`` on the cut topology, with uv and a texture [H,W,3] uint8."""
        faces = np.ascontiguousarray(self.faces)
        return MeshSequence(
            vertices=tuple(self.vertices(frame) for frame in range(len(self.original))),
            faces=(faces,) * len(self.original),
            fps=meshes.fps,
            name=meshes.name,
            normals=tuple(self.normals(frame) for frame in range(len(self.original))),
            uv=self.cut.uv,
            texture=texture,
            settings=meshes.settings,
        )


def check_topology(meshes: MeshSequence) -> None:
    """Raise InputError unless all frames share one topology with faces."""
    if not meshes.fixed_topology:
        raise InputError(
            f"The mesh sequence {meshes.name!r} has frames with different triangles, but one texture needs one "
            "topology; put the Track Topology node before this one, with on_change set to force."
        )
    if len(meshes.faces[0]) == 0:
        raise InputError(f"The mesh sequence {meshes.name!r} has no faces, so there is nothing to texture.")


def cut_surface(
    meshes: MeshSequence, texture_size: int, progress: Progress | None = None, check: Check | None = None, notify=None
) -> Surface:
    """Unwrap the first frame of a sequence of one topology; raises InputError otherwise and for empty meshes."""
    check_topology(meshes)
    cut = unwrap(meshes.vertices[0], meshes.faces[0], progress, check, texture_size, notify=notify)
    places = _weld(meshes.vertices)
    place = places[cut.vertex]
    _, place = np.unique(place, return_inverse=True)
    place = place.reshape(-1)
    return Surface(meshes.vertices, cut, place, int(place.max()) + 1, is_closed(place[cut.faces]))


def _weld(frames: tuple[np.ndarray, ...]) -> np.ndarray:
    """The place [V0] of every vertex: vertices that coincide in a few frames over the whole time share one."""
    chosen = np.unique(np.linspace(0, len(frames) - 1, _WELD_FRAMES).round().astype(int))
    stacked = np.concatenate([frames[index] for index in chosen], axis=1)
    _, place = np.unique(stacked, axis=0, return_inverse=True)
    return place.reshape(-1)
