"""Small files the import tests share, built from arrays."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np

from tests.data.animated.gltf_file import GltfFile

FIXTURES = Path(__file__).parents[1] / "data" / "animated"
TRIANGLE = np.float32([[0, 0, 0], [1, 0, 0], [0, 1, 0]])


def new_file(**document) -> GltfFile:
    """A file with one scene of node 0, and what else is given."""
    file = GltfFile("tests", "none")
    file.document |= {"scene": 0, "scenes": [{"nodes": [0]}], "nodes": [{"mesh": 0}], **document}
    return file


def triangle_file(positions: np.ndarray = TRIANGLE, attributes: dict | None = None, **primitive) -> GltfFile:
    """One node with one primitive of these positions; ``attributes`` are accessors of the file."""
    file = new_file()
    attributes = {"POSITION": file.array(positions), **(attributes or {})}
    file.document["meshes"] = [{"primitives": [{"attributes": attributes, **primitive}]}]
    return file


def animate(
    file: GltfFile, node: int, path: str, times: list, values: np.ndarray, mode: str = "LINEAR", **array
) -> None:
    """Add a channel to the file's one animation."""
    animation = file.document.setdefault("animations", [{"name": "move", "samplers": [], "channels": []}])[0]
    sampler = {"input": file.array(np.float32(times)), "output": file.array(values, **array), "interpolation": mode}
    animation["channels"].append({"sampler": len(animation["samplers"]), "target": {"node": node, "path": path}})
    animation["samplers"].append(sampler)


def read_json(path: Path) -> tuple[dict, bytes]:
    """The JSON of a GLB and everything behind it."""
    content = path.read_bytes()
    (length,) = struct.unpack_from("<I", content, 12)
    return json.loads(content[20 : 20 + length]), content[20 + length :]


def write_json(path: Path, document: dict, rest: bytes) -> Path:
    """A GLB of a JSON and everything behind it."""
    text = json.dumps(document).encode()
    text += b" " * (-len(text) % 4)
    path.write_bytes(struct.pack("<4s4I", b"glTF", 2, 20 + len(text) + len(rest), len(text), 0x4E4F534A) + text + rest)
    return path
