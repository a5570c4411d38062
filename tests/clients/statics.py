"""What trimesh finds in the files of a folder, one mesh per time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import trimesh

from tests.clients.cases import Written
from tests.clients.seen import Seen


def ask_trimesh(written: list[Written], _folder: Path) -> list[Seen]:
    """Open the file of each time of every case with trimesh as it is, without merging or repairing anything."""
    return [_seen(entry) for entry in written]


def _seen(entry: Written) -> Seen:
    positions, corners, uv, texture = [], [], [], None
    for file, seconds in zip(entry.stills, entry.seconds):
        filled = len(entry.expected(seconds)[1])  # trimesh raises for a file without geometry, as its authors chose
        mesh = trimesh.load_mesh(file, process=False) if filled else trimesh.Trimesh()
        positions.append(mesh.vertices.astype(np.float32))  # the decimals of an OBJ as the floats they name
        corners.append(mesh.faces)
        coordinates = getattr(mesh.visual, "uv", None)
        uv.append(np.zeros((0, 3, 2)) if coordinates is None else coordinates[mesh.faces])
        material = getattr(mesh.visual, "material", None)
        picture = getattr(material, "baseColorTexture", None) or getattr(material, "image", None)
        texture = texture if picture is None else np.asarray(picture)
    return Seen(positions, corners, uv, {"program": f"trimesh {trimesh.__version__}"}, texture)
