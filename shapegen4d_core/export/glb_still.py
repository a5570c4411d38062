"""Writes one frame of a sequence as a GLB of its own."""

from __future__ import annotations

import json
import struct
from pathlib import Path

from .. import __version__
from ..progress import Check
from ..sequence import MeshSequence
from .glb import write_glb


def write_glb_still(
    path: Path, sequence: MeshSequence, frame: int, unlit: bool = False, check: Check | None = None
) -> None:
    """Write frame ``frame`` (from 0) of ``sequence`` to ``path`` (ending in .glb); an empty one is a node without mesh.

    Raises InputError as :func:`shapegen4d_core.export.write_glb` does. ``check`` may raise to cancel.
    """
    if not len(sequence.faces[frame]):
        path.write_bytes(_empty(sequence.name))
        return
    normals = None if sequence.normals is None else (sequence.normals[frame],)
    still = MeshSequence(
        vertices=(sequence.vertices[frame],),
        faces=(sequence.faces[frame],),
        fps=sequence.fps,
        name=sequence.name,
        normals=normals,
        uv=sequence.uv,
        texture=sequence.texture,
    )
    write_glb(still, path, unlit=unlit, check=check)


def _empty(name: str) -> bytes:
    document = {
        "asset": {"version": "2.0", "generator": f"ShapeGen4D {__version__}"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"name": name}],
    }
    text = json.dumps(document).encode("ascii")
    text += b" " * (-len(text) % 4)
    return struct.pack("<4s4I", b"glTF", 2, 20 + len(text), len(text), 0x4E4F534A) + text
