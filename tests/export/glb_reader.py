"""A small GLB reader and animation player after the glTF 2.0 specification, independent of the writer."""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

_DTYPES = {5121: "<u1", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
_WIDTH = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4}


@dataclass
class Glb:
    """The JSON and the binary chunk of a file."""

    json: dict
    binary: bytes
    json_end: int  # bytes from the start of the file to the end of the JSON chunk
    _cache: dict = field(default_factory=dict)

    def view_bytes(self, index: int) -> bytes:
        view = self.json["bufferViews"][index]
        start = view.get("byteOffset", 0)
        return self.binary[start : start + view["byteLength"]]

    def accessor(self, index: int) -> np.ndarray:
        """Values [count] or [count, width]."""
        if index not in self._cache:
            accessor = self.json["accessors"][index]
            dtype, width = np.dtype(_DTYPES[accessor["componentType"]]), _WIDTH[accessor["type"]]
            view = self.json["bufferViews"][accessor["bufferView"]]
            stride = view.get("byteStride", dtype.itemsize * width)
            content, start = self.view_bytes(accessor["bufferView"]), accessor.get("byteOffset", 0)
            assert start % dtype.itemsize == 0
            assert start + (accessor["count"] - 1) * stride + dtype.itemsize * width <= len(content)
            array = np.ndarray((accessor["count"], width), dtype, content, start, (stride, dtype.itemsize))
            self._cache[index] = array[:, 0] if width == 1 else array
        return self._cache[index]

    def key_times(self) -> list[np.ndarray]:
        return [self.accessor(sampler["input"]) for sampler in self.json["animations"][0]["samplers"]]

    def duration(self) -> float:
        return float(max(times[-1] for times in self.key_times()))

    def at(self, seconds: float) -> list[dict[str, np.ndarray]]:
        """The meshes visible at a time: world ``positions``, blended ``normals`` and ``faces`` of each."""
        found: list[dict[str, np.ndarray]] = []
        poses = self._poses(seconds)
        for root in self.json["scenes"][self.json["scene"]]["nodes"]:
            self._visit(root, np.ones(3), poses, found)
        return found

    def _poses(self, seconds: float) -> dict[tuple[int, str], np.ndarray]:
        poses, animation = {}, self.json["animations"][0]
        for channel in animation["channels"]:
            sampler, target = animation["samplers"][channel["sampler"]], channel["target"]
            times, values = self.accessor(sampler["input"]), self.accessor(sampler["output"])
            values = values.reshape(len(times), -1)
            after = int(np.searchsorted(times, np.float32(seconds), side="right"))
            before = min(max(after - 1, 0), len(times) - 1)
            value = values[before].astype(np.float64)
            if sampler["interpolation"] == "LINEAR" and 0 < after < len(times):
                share = (seconds - times[before]) / (times[after] - times[before])
                value = value * (1 - share) + values[after] * share
            poses[target["node"], target["path"]] = value
        return poses

    def _visit(self, index: int, scale: np.ndarray, poses: dict, found: list) -> None:
        node = self.json["nodes"][index]
        assert "matrix" not in node and "rotation" not in node and "translation" not in node
        scale = scale * poses.get((index, "scale"), np.array(node.get("scale", [1, 1, 1])))
        if "mesh" in node and scale.any():
            mesh = self.json["meshes"][node["mesh"]]
            weights = poses.get((index, "weights"), np.array(mesh.get("weights", [])))
            for primitive in mesh["primitives"]:
                found.append(self._primitive(primitive, weights, scale))
        for child in node.get("children", []):
            self._visit(child, scale, poses, found)

    def _primitive(self, primitive: dict, weights: np.ndarray, scale: np.ndarray) -> dict[str, np.ndarray]:
        shape = {}
        for key, name in (("POSITION", "positions"), ("NORMAL", "normals")):
            values = self.accessor(primitive["attributes"][key]).astype(np.float64)
            for weight, target in zip(weights, primitive.get("targets", [])):
                values = values + weight * self.accessor(target[key]) if weight else values
            shape[name] = values
        shape["positions"] = shape["positions"] * scale
        shape["faces"] = self.accessor(primitive["indices"]).reshape(-1, 3)
        return shape


def read_glb(path: Path) -> Glb:
    """Read a file, checking the container and every chunk length."""
    content = Path(path).read_bytes()
    magic, version, length = struct.unpack_from("<4s2I", content)
    assert (magic, version, length) == (b"glTF", 2, len(content))
    json_length, json_kind = struct.unpack_from("<I4s", content, 12)
    assert json_kind == b"JSON" and json_length % 4 == 0
    binary_at = 20 + json_length
    binary_length, binary_kind = struct.unpack_from("<I4s", content, binary_at)
    assert binary_kind == b"BIN\0" and binary_at + 8 + binary_length == len(content)
    document = json.loads(content[20:binary_at].decode("utf-8"))
    assert document["buffers"][0]["byteLength"] == binary_length
    return Glb(document, content[binary_at + 8 :], binary_at)
