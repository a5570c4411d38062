"""Writes one mesh as binary PLY (little endian), with the names of properties that other programs look for.

Texture coordinates are the vertex properties s and t (origin bottom left), the picture is named by a comment
"TextureFile", as MeshLab does it. Source: Greg Turk, The PLY Polygon File Format, 1994.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from .. import __version__
from ..progress import Check
from .still import Still, blocks

_FACE = np.dtype([("count", "u1"), ("corners", "<i4", (3,))])


def write_ply(path: Path, still: Still, picture: str | None = None, check: Check | None = None) -> None:
    """Write ``still`` to ``path``; ``picture`` is the file name of its texture. ``check`` may raise to cancel."""
    columns = {"x": still.vertices[:, 0], "y": still.vertices[:, 1], "z": still.vertices[:, 2]}
    if still.normals is not None:
        columns |= {f"n{axis}": still.normals[:, index] for index, axis in enumerate("xyz")}
    if still.uv is not None:
        columns |= {"s": still.uv[:, 0], "t": still.uv[:, 1]}
    vertices = np.stack(list(columns.values()), axis=1).astype("<f4", copy=False)
    with open(path, "wb") as file:
        file.write(_header(len(still.vertices), list(columns), len(still.faces), picture))
        for block in blocks(vertices, check):
            file.write(block.tobytes())
        for block in blocks(still.faces, check):
            faces = np.empty(len(block), _FACE)
            faces["count"], faces["corners"] = 3, block
            file.write(faces.tobytes())


def _header(vertex_count: int, properties: list[str], face_count: int, picture: str | None) -> bytes:
    lines = ["ply", "format binary_little_endian 1.0", f"comment ShapeGen4D {__version__}; y up, front +z"]
    if picture is not None:
        lines.append(f"comment TextureFile {picture}")
    lines.append(f"element vertex {vertex_count}")
    lines += [f"property float {name}" for name in properties]
    lines += [f"element face {face_count}", "property list uchar int vertex_indices", "end_header", ""]
    return "\n".join(lines).encode("ascii")
