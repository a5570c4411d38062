"""Fixed topology as morph targets: frame 0 is the mesh, every later frame one target (glTF 2.0, 3.7.2.2).

The node has one animation channel, ``weights``, with T + 1 keys: key t at t / fps selects frame t, and a last
key at T / fps repeats the last frame, which so lasts like the others; the animation runs T / fps seconds.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import InputError
from ..progress import Check, Progress, tick
from ..sequence import MeshSequence
from .gltf_buffers import BufferSpool
from .key_times import key_times
from .surfaces import Surfaces

MOST_TARGETS = 250  # WebGL2 guarantees 256 layers in the texture array viewers keep the targets in


def morph_parts(
    sequence: MeshSequence,
    spool: BufferSpool,
    interpolation: str,
    progress: Progress | None = None,
    check: Check | None = None,
) -> tuple[dict[str, Any], bool]:
    """Nodes, mesh and animation of a sequence with fixed topology and 2 to 251 frames; whether it is closed.

    Raises InputError when a vertex moves further than float32 can hold.
    """
    surfaces, last = Surfaces(sequence), sequence.frame_count - 1
    base, base_normals = sequence.vertices[0], surfaces.normals(0)
    primitive: dict[str, Any] = {
        "attributes": {"POSITION": spool.vectors(base, bounds=True), "NORMAL": spool.vectors(base_normals)},
        "indices": spool.indices(sequence.faces[0], len(base)),
        "material": 0,
        "targets": [],
    }
    if sequence.uv is not None:
        primitive["attributes"]["TEXCOORD_0"] = spool.texture_coordinates(top_left(sequence.uv))
    tick(progress, check, 1, sequence.frame_count)
    for frame in range(1, sequence.frame_count):
        moves = _moves(sequence, frame)
        turns = surfaces.normals(frame) - base_normals
        target = {"POSITION": spool.vectors(moves, bounds=True), "NORMAL": spool.vectors(turns)}
        primitive["targets"].append(target)
        tick(progress, check, frame + 1, sequence.frame_count)
    names = [f"frame_{frame:04d}" for frame in range(1, sequence.frame_count)]
    mesh = {"name": sequence.name, "primitives": [primitive], "weights": [0.0] * last}
    mesh["extras"] = {"targetNames": names}
    parts = {
        "nodes": [{"name": sequence.name, "mesh": 0}],
        "meshes": [mesh],
        "animations": [_animation(sequence, spool, interpolation)],
    }
    return parts, surfaces.closed(0)


def top_left(uv: np.ndarray) -> np.ndarray:
    """Texture coordinates [V,2] with the origin moved from the bottom left to glTF's top left."""
    return np.stack([uv[:, 0], 1 - uv[:, 1]], axis=1)


def _moves(sequence: MeshSequence, frame: int) -> np.ndarray:
    with np.errstate(over="ignore"):
        moves = sequence.vertices[frame] - sequence.vertices[0]
    if not np.isfinite(moves).all():
        raise InputError(
            f"A vertex of frame {frame} moved further than float32 holds; scale the sequence down."
        )
    return moves


def _animation(sequence: MeshSequence, spool: BufferSpool, interpolation: str) -> dict[str, Any]:
    frame_count = sequence.frame_count
    weights = np.eye(frame_count + 1, frame_count - 1, k=-1, dtype=np.float32)  # row t selects target t - 1
    weights[frame_count] = weights[frame_count - 1]
    sampler = {
        "input": spool.key_times(key_times(range(frame_count + 1), sequence.fps)),
        "output": spool.key_values(weights.reshape(-1)),
        "interpolation": interpolation,
    }
    channel = {"sampler": 0, "target": {"node": 0, "path": "weights"}}
    return {"name": sequence.name, "samplers": [sampler], "channels": [channel]}
