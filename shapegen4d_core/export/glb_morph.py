"""Fixed topology as morph targets: the first frame is the mesh, every later frame one target (glTF 2.0, 3.7.2.2).

The node has one animation channel, ``weights``: key k selects the frame it shows, and the last key closes the
animation. Viewers take 250 targets per mesh; a longer sequence becomes several meshes that take turns, each
beginning with the frame that the one before ends with, so that frames are blended across the seam too.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..progress import Check, Progress, tick
from .glb_frames import Frames, base_attributes, target_attributes
from .gltf_document import Document
from .gltf_turns import HIDDEN, add_turns
from .key_times import key_times, played_frames

MOST_TARGETS = 250  # WebGL2 guarantees 256 layers in the texture array viewers keep the targets in


def add_morph(
    document: Document,
    frames: Frames,
    loop: str,
    interpolation: str,
    progress: Progress | None = None,
    check: Check | None = None,
) -> tuple[int, bool]:
    """Nodes, meshes and keys of a sequence with fixed topology; the topmost node, and whether it is closed.

    Raises InputError when a vertex moves further than float32 can hold.
    """
    sequence = frames.sequence
    places = _Places(sequence.frame_count, loop)
    meshes = _Meshes(document, frames, progress, check)
    nodes = []
    head = document.add("nodes", {"name": sequence.name})
    for number, path in enumerate(places.segments):
        mesh = meshes.add(path)
        if len(places.segments) == 1:
            document.node(head)["mesh"] = mesh
            nodes.append(head)
        else:
            hidden = {"scale": HIDDEN} if number else {}
            nodes.append(document.add("nodes", {"name": _named(path), "mesh": mesh, **hidden}))
    for number, node in enumerate(nodes):
        _add_weights(document, node, places, number, sequence.fps, interpolation)
    if len(nodes) > 1:
        document.node(head)["children"] = nodes
        add_turns(document, nodes, places.owners, sequence.fps)
    return head, frames.surfaces.closed(0)


class _Places:
    """Which segment, and which of its targets, every key needs.

    The frames lie on a path 0..T-1, with the first one again at its end when a long sequence is a cycle. Segment s is
    the path from 250 s to 250 (s + 1), both included. ``owners`` [N + 1] is the segment seen from each key on.
    """

    def __init__(self, frame_count: int, loop: str) -> None:
        path = list(range(frame_count))
        shown = played_frames(frame_count, loop)
        if loop == "cycle" and frame_count > MOST_TARGETS + 1:
            path.append(0)
            shown[-1] = frame_count  # the place of that second first frame
        starts = range(0, max(len(path) - 1, 1), MOST_TARGETS)
        self.segments = [path[start : start + MOST_TARGETS + 1] for start in starts]
        most = len(self.segments) - 1
        self.owners = [min(min(pair) // MOST_TARGETS, most) for pair in zip(shown, shown[1:])]
        self.owners.append(self.owners[-1])
        self._shown = shown

    def keys(self, segment: int) -> list[tuple[int, int]]:
        """Key numbers with the place within the segment (0: its base), from where it is seen to where it ends."""
        last = len(self._shown) - 1
        seen = [key for key in range(last) if self.owners[key] == segment]
        keys = sorted({*seen, *(key + 1 for key in seen)})
        return [(key, self._shown[key] - segment * MOST_TARGETS) for key in keys]


class _Meshes:
    """One mesh per segment; all share their faces and texture coordinates."""

    def __init__(self, document: Document, frames: Frames, progress: Progress | None, check: Check | None) -> None:
        self._document, self._frames = document, frames
        self._progress, self._check = progress, check
        sequence, spool = frames.sequence, document.spool
        self._shared: dict[str, Any] = {"indices": spool.indices(sequence.faces[0], len(sequence.vertices[0]))}
        coordinates = frames.coordinates()
        self._uv = {} if coordinates is None else {"TEXCOORD_0": spool.texture_coordinates(coordinates)}

    def add(self, path: list[int]) -> int:
        """The mesh of the frames on ``path``: the first is its base, the others its targets."""
        spool, base = self._document.spool, self._frames.shape(path[0])
        attributes = {**base_attributes(spool, base), **self._uv}
        self._tick(path[0])
        targets = []
        for frame in path[1:]:
            targets.append(target_attributes(spool, self._frames.shape(frame), base, frame))
            self._tick(frame)
        primitive = {"attributes": attributes, **self._shared, "material": 0, "targets": targets}
        mesh = {"name": self._frames.sequence.name, "primitives": [primitive], "weights": [0] * len(targets)}
        mesh["extras"] = {"targetNames": [f"frame_{frame + 1:04d}" for frame in path[1:]]}
        return self._document.add("meshes", mesh)

    def _tick(self, frame: int) -> None:
        tick(self._progress, self._check, frame + 1, self._frames.sequence.frame_count)


def _add_weights(
    document: Document, node: int, places: _Places, segment: int, fps: float, interpolation: str
) -> None:
    keys = places.keys(segment)
    weights = np.zeros((len(keys), len(places.segments[segment]) - 1), np.float32)
    for row, (_, place) in enumerate(keys):
        if place:
            weights[row, place - 1] = 1
    times = document.spool.key_times(key_times((key for key, _ in keys), fps))
    document.animate(node, "weights", times, document.spool.key_values(weights.reshape(-1)), interpolation)


def _named(path: list[int]) -> str:
    return f"frames_{path[0] + 1:04d}_{max(path) + 1:04d}"
