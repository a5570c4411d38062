"""Any topology as a flip book: one node per frame, scaled to 1 while its frame lasts and to 0 otherwise.

Each node has one STEP animation channel, ``scale``, with keys only where it changes: frame 0 at 0 and
1 / fps, frame t at 0, t / fps and (t + 1) / fps. The last frame stays visible at its last key, T / fps, which
makes the animation T / fps seconds long; all nodes together have 3 T - 1 keys. An empty frame is a node
without a mesh. Readers that ignore animations show the first frame that has one.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..progress import Check, Progress, tick
from ..sequence import MeshSequence
from .glb_morph import top_left
from .gltf_buffers import BufferSpool
from .key_times import key_times
from .surfaces import Surfaces

_HIDDEN = [0.0, 0.0, 0.0]


def flipbook_parts(
    sequence: MeshSequence,
    spool: BufferSpool,
    progress: Progress | None = None,
    check: Check | None = None,
) -> tuple[dict[str, Any], bool]:
    """Nodes, meshes and animation of any sequence; whether the meshes of all frames are closed."""
    surfaces, closed = Surfaces(sequence), True
    meshes = _Meshes(sequence, spool, surfaces)
    nodes: list[dict[str, Any]] = [{"name": sequence.name, "children": []}]
    animation: dict[str, Any] = {"name": sequence.name, "samplers": [], "channels": []}
    values: dict[tuple, int] = {}
    for frame in range(sequence.frame_count):
        node: dict[str, Any] = {"name": f"frame_{frame:04d}"}
        if len(sequence.faces[frame]):
            node["mesh"] = meshes.add(frame)
            closed = closed and surfaces.closed(frame)
        if len(meshes.meshes) != 1 or "mesh" not in node:
            node["scale"] = _HIDDEN
        nodes[0]["children"].append(len(nodes))
        animation["channels"].append({"sampler": frame, "target": {"node": len(nodes), "path": "scale"}})
        animation["samplers"].append(_sampler(sequence, frame, spool, values))
        nodes.append(node)
        tick(progress, check, frame + 1, sequence.frame_count)
    return {"nodes": nodes, "meshes": meshes.meshes, "animations": [animation]}, closed


class _Meshes:
    """The meshes of a document; frames that share their faces or uv share the accessor too."""

    def __init__(self, sequence: MeshSequence, spool: BufferSpool, surfaces: Surfaces) -> None:
        self.meshes: list[dict[str, Any]] = []
        self._sequence, self._spool, self._surfaces = sequence, spool, surfaces
        self._shared_indices: int | None = None
        self._shared_uv: int | None = None

    def add(self, frame: int) -> int:
        vertices = self._sequence.vertices[frame]
        attributes = {
            "POSITION": self._spool.vectors(vertices, bounds=True),
            "NORMAL": self._spool.vectors(self._surfaces.normals(frame)),
        }
        if self._sequence.uv is not None:
            if self._shared_uv is None:
                self._shared_uv = self._spool.texture_coordinates(top_left(self._sequence.uv))
            attributes["TEXCOORD_0"] = self._shared_uv
        primitive = {"attributes": attributes, "indices": self._indices(frame), "material": 0}
        self.meshes.append({"name": f"frame_{frame:04d}", "primitives": [primitive]})
        return len(self.meshes) - 1

    def _indices(self, frame: int) -> int:
        faces, vertices = self._sequence.faces[frame], self._sequence.vertices[frame]
        if not self._sequence.fixed_topology:
            return self._spool.indices(faces, len(vertices))
        if self._shared_indices is None:
            self._shared_indices = self._spool.indices(faces, len(vertices))
        return self._shared_indices


def _sampler(sequence: MeshSequence, frame: int, spool: BufferSpool, values: dict[tuple, int]) -> dict:
    last = frame == sequence.frame_count - 1
    before = [] if frame == 0 else [(0, 0.0)]
    keys = [*before, (frame, 1.0), (frame + 1, 1.0 if last else 0.0)]
    shape = tuple(value for _, value in keys)
    if shape not in values:
        values[shape] = spool.key_values(np.repeat(np.array(shape, np.float32)[:, None], 3, axis=1))
    times = key_times((start for start, _ in keys), sequence.fps)
    return {"input": spool.key_times(times), "output": values[shape], "interpolation": "STEP"}
