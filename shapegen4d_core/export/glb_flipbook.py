"""Any topology as a flip book: one node per frame, scaled to 1 while its frame lasts and to 0 otherwise.

The nodes take turns by STEP keys (see gltf_turns); the last key closes the animation. An empty frame is a node without
a mesh. Readers that ignore animations show the first frame that has one. Names are on the meshes where there are
some: programs call the node after its mesh, and the file stays small.
"""

from __future__ import annotations

from typing import Any

from ..progress import Check, Progress, tick
from .glb_frames import Frames, base_attributes
from .gltf_document import Document
from .gltf_turns import HIDDEN, add_turns
from .key_times import played_frames


def add_flipbook(
    document: Document,
    frames: Frames,
    loop: str,
    progress: Progress | None = None,
    check: Check | None = None,
) -> tuple[int, bool]:
    """Nodes, meshes and keys of any sequence; the topmost node, and whether the meshes of all frames are closed."""
    sequence, closed, shown = frames.sequence, True, False
    meshes, nodes = _Meshes(document, frames), []
    head = document.add("nodes", {"name": sequence.name})
    for frame in range(sequence.frame_count):
        node: dict[str, Any] = {}
        if len(sequence.faces[frame]):
            node["mesh"] = meshes.add(frame)
            closed = closed and frames.surfaces.closed(frame)
        else:
            node["name"] = frame_name(frame)
        if shown or "mesh" not in node:
            node["scale"] = HIDDEN
        shown = shown or "mesh" in node
        nodes.append(document.add("nodes", node))
        tick(progress, check, frame + 1, sequence.frame_count)
    document.node(head)["children"] = nodes
    add_turns(document, nodes, played_frames(sequence.frame_count, loop), sequence.fps)
    return head, closed


def frame_name(frame: int) -> str:
    """What a frame is called in the file, counted from 1."""
    return f"frame_{frame + 1:04d}"


class _Meshes:
    """One mesh per frame; frames that share their faces or uv share the accessor too."""

    def __init__(self, document: Document, frames: Frames) -> None:
        self._document, self._frames = document, frames
        self._shared_indices: int | None = None
        self._shared_uv: int | None = None

    def add(self, frame: int) -> int:
        """The mesh of a frame that has faces."""
        attributes = base_attributes(self._document.spool, self._frames.shape(frame))
        if self._frames.sequence.uv is not None:
            attributes["TEXCOORD_0"] = self._coordinates()
        primitive = {"attributes": attributes, "indices": self._indices(frame), "material": 0}
        return self._document.add("meshes", {"name": frame_name(frame), "primitives": [primitive]})

    def _coordinates(self) -> int:
        if self._shared_uv is None:
            coordinates = self._frames.coordinates()
            assert coordinates is not None
            self._shared_uv = self._document.spool.texture_coordinates(coordinates)
        return self._shared_uv

    def _indices(self, frame: int) -> int:
        sequence, spool = self._frames.sequence, self._document.spool
        if not sequence.fixed_topology:
            return spool.indices(sequence.faces[frame], len(sequence.vertices[frame]))
        if self._shared_indices is None:
            self._shared_indices = spool.indices(sequence.faces[frame], len(sequence.vertices[frame]))
        return self._shared_indices
