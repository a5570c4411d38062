"""Writes one mesh as Wavefront OBJ, its material as MTL and the texture as PNG.

Coordinates have nine digits, so that every float32 comes back as it was; vertices, texture coordinates and normals
share their numbers, so that programs keep the order. Source: the OBJ and MTL appendices of Wavefront's Advanced
Visualizer manual.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import IO

import numpy as np

from .. import __version__
from ..progress import Check
from .gltf_picture import encoded_picture
from .still import Still, blocks

MATERIAL = "textured"


def write_obj(path: Path, still: Still, name: str, library: str | None = None, check: Check | None = None) -> None:
    """Write ``still`` to ``path`` as an object called ``name`` (one line, UTF-8).

    ``library`` is the file name of the MTL, whose material the faces then use. ``check`` may raise to cancel.
    """
    with open(path, "w", encoding="utf-8", newline="\n") as file:
        file.write(f"# ShapeGen4D {__version__}; y up, front +z\n")
        if library is not None:
            file.write(f"mtllib {library}\n")
        file.write(f"o {name}\n")
        _rows(file, "v %.9g %.9g %.9g\n", still.vertices, check)
        if still.uv is not None:
            _rows(file, "vt %.9g %.9g\n", still.uv, check)
        if still.normals is not None:
            _rows(file, "vn %.9g %.9g %.9g\n", still.normals, check)
        file.write("s 1\n")  # smooth shading
        if library is not None:
            file.write(f"usemtl {MATERIAL}\n")
        _faces(file, still, check)


def write_material(path: Path, picture: str, unlit: bool) -> None:
    """Write an MTL whose one material shows the picture of that file name, without further light when ``unlit``."""
    shading = "illum 0\n" if unlit else "illum 1\nKa 1 1 1\nKs 0 0 0\nPr 0.9\nPm 0\n"
    head = f"# ShapeGen4D {__version__}\nnewmtl {MATERIAL}\n"
    text = f"{head}Kd 1 1 1\n{shading}map_Kd {picture}\n"
    path.write_text(text, encoding="utf-8", newline="\n")


def write_picture(path: Path, texture: np.ndarray, check: Check | None = None) -> None:
    """Write a texture [H,W,3|4] uint8 to ``path`` as PNG, without loss. ``check`` may raise to cancel."""
    path.write_bytes(encoded_picture(texture, "png", check))


def writes_opaque(texture: np.ndarray | None, stacklevel: int) -> None:
    """Warn when the texture [H,W,3|4] has transparency, which MTL files cannot say in a way programs agree on."""
    if texture is not None and texture.shape[2] == 4 and texture[..., 3].min() < 255:
        said = "OBJ has no agreed transparency: most programs will show the texture opaque."
        warnings.warn(said, stacklevel=stacklevel)


def _rows(file: IO[str], line: str, rows: np.ndarray, check: Check | None) -> None:
    for block in blocks(rows, check):
        file.write(line * len(block) % tuple(block.ravel().tolist()))


def _faces(file: IO[str], still: Still, check: Check | None) -> None:
    corner = "%d/%d" if still.uv is not None else "%d"
    if still.normals is not None:
        corner += "/%d" if still.uv is not None else "//%d"
    times = corner.count("%d")
    for block in blocks(still.faces, check):
        numbers = np.repeat(block.reshape(-1).astype(np.int64) + 1, times)
        file.write(f"f {corner} {corner} {corner}\n" * len(block) % tuple(numbers.tolist()))
