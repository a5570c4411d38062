"""Writes reference.json: where Panda3D itself puts a few vertices of its panda and of its ripple.

    python make_reference.py PATH/TO/panda3d/models OUTPUT_FOLDER

Panda3D's own loader and its own skinning and morphing run here (no display is needed), with the exact weights of the
files; only the turn from z up to y up and the scale of make_fixtures.py are ours.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from direct.actor.Actor import Actor
from direct.showbase.ShowBase import ShowBase
from egg import character, read_egg
from make_fixtures import PANDA_SCALE, UPRIGHT
from panda3d.core import Filename, GeomVertexReader, Thread, loadPrcFileData
from scipy.spatial import cKDTree

SETTINGS = """
window-type none
audio-library-name null
egg-vertex-membership-quantize 0
egg-vertex-max-num-joints -1
"""
VERTEX_STEP = 61  # every 61st vertex is kept


def main() -> None:
    """Read the arguments and write the file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", type=Path, help="the folder panda3d/models of the installed wheel")
    parser.add_argument("output", type=Path, help="an existing folder")
    arguments = parser.parse_args()
    loadPrcFileData("", SETTINGS)
    ShowBase(windowType="none")
    models = arguments.models
    reference = {
        "panda_walk": positions(models, "panda-model.egg.pz", "panda-walk4.egg.pz", PANDA_SCALE, (0, 7, 22, 45)),
        "ripple": positions(models, "ripple.egg.pz", "ripple.egg.pz", 1.0, (0, 9, 20, 33)),
    }
    (arguments.output / "reference.json").write_text(json.dumps(reference), encoding="ascii")


def positions(models: Path, model: str, motion: str, scale: float, frames: tuple[int, ...]) -> dict:
    """Some vertices in some frames, in the axes and units of the fixture."""
    model_file, motion_file = (Filename.fromOsSpecific(str(models / name)) for name in (model, motion))
    actor = Actor(model_file, {"motion": motion_file})
    path = actor.find("**/+GeomNode")
    geometry, matrix = path.node(), np.array(path.getMat(actor))  # for row vectors
    ours = character(read_egg(models / model)).positions
    wanted = np.arange(0, len(ours), VERTEX_STEP)
    # Panda3D orders vertices its own way: each of ours is the one that rests in the same place
    place = cKDTree(vertices(geometry.getGeom(0).getVertexData(), matrix)).query(ours[wanted])[1]
    found = []
    for frame in frames:
        actor.pose("motion", frame)
        actor.update()
        actor.find("**/+Character").node().forceUpdate()
        moved = geometry.getGeom(0).getVertexData().animateVertices(True, Thread.getCurrentThread())
        found.append(scale * vertices(moved, matrix)[place] @ UPRIGHT[:3, :3].T)
    return {"frames": list(frames), "vertices": wanted.tolist(), "positions": np.round(found, 6).tolist()}


def vertices(data: object, matrix: np.ndarray) -> np.ndarray:
    """The positions [V,3] of Panda3D's vertex data, moved by a node's matrix [4,4]."""
    reader, rows = GeomVertexReader(data, "vertex"), []
    while not reader.isAtEnd():
        rows.append(tuple(reader.getData3()))
    return np.array(rows) @ matrix[:3, :3] + matrix[3, :3]


if __name__ == "__main__":
    main()
