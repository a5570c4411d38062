"""Opens what the host wrote with libraries that did not write it, and says in plain figures what is inside."""

from __future__ import annotations

import io
import json
import struct
from dataclasses import dataclass
from pathlib import Path

import av
import trimesh
from PIL import Image


@dataclass(frozen=True)
class Model:
    """A GLB: its meshes and triangles after trimesh, its seconds of animation, and what our own entry says."""

    meshes: int
    triangles: int
    seconds: float
    frames: int
    fps: float
    extras: dict


def model(content: bytes) -> Model:
    """Open a GLB."""
    scene = trimesh.load_scene(io.BytesIO(content), file_type="glb")
    (length,) = struct.unpack("<I", content[12:16])
    document = json.loads(content[20 : 20 + length])
    ends = [0.0]
    for animation in document.get("animations", ()):
        ends += [document["accessors"][sampler["input"]]["max"][0] for sampler in animation["samplers"]]
    extras = document["asset"]["extras"]
    triangles = sum(len(mesh.faces) for mesh in scene.geometry.values())
    ours = extras["shapegen4d"]
    return Model(len(scene.geometry), triangles, max(ends), ours["frames"], ours["fps"], extras)


def picture_count(name: str, content: bytes) -> int:
    """Frames of a film or an animated picture; every one of them is decoded."""
    if name.endswith(".mp4"):
        with av.open(io.BytesIO(content)) as film:
            return sum(1 for _ in film.decode(video=0))
    with Image.open(io.BytesIO(content)) as picture:
        count = getattr(picture, "n_frames", 1)
        for number in range(count):
            picture.seek(number)
            picture.load()
        return count


def points(name: str, content: bytes, folder: Path) -> int:
    """Time samples of the points of a USD file, the most of any mesh."""
    usd = __import__("pxr.Usd", fromlist=["Usd"])
    path = folder / Path(name).name
    path.write_bytes(content)
    stage = usd.Stage.Open(str(path))
    meshes = [prim for prim in stage.Traverse() if prim.GetTypeName() == "Mesh"]
    return max(prim.GetAttribute("points").GetNumTimeSamples() for prim in meshes)
