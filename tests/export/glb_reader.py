"""A small GLB reader and animation player after the glTF 2.0 specification, independent of the writer."""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation, Slerp

_DTYPES = {5120: "<i1", 5121: "<u1", 5122: "<i2", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
_WIDTH = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4}
_REST = {"translation": [0, 0, 0], "rotation": [0, 0, 0, 1], "scale": [1, 1, 1]}


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
        """Values [count] or [count, width], fractions where the integers are normalised."""
        if index not in self._cache:
            accessor = self.json["accessors"][index]
            dtype, width = np.dtype(_DTYPES[accessor["componentType"]]), _WIDTH[accessor["type"]]
            array = np.zeros((accessor["count"], width), dtype)
            if "bufferView" in accessor:
                array = self._rows(accessor, dtype, accessor["count"], width)
            if "sparse" in accessor:
                array = self._sparse(array.copy(), accessor["sparse"])
            if accessor.get("normalized"):
                array = np.maximum(array / np.iinfo(dtype).max, -1)
            self._cache[index] = array[:, 0] if width == 1 else array
        return self._cache[index]

    def _rows(self, entry: dict, dtype: np.dtype, count: int, width: int) -> np.ndarray:
        view, size = self.json["bufferViews"][entry["bufferView"]], dtype.itemsize * width
        content, start = self.view_bytes(entry["bufferView"]), entry.get("byteOffset", 0)
        stride = view.get("byteStride", size)
        assert (start + view["byteOffset"]) % dtype.itemsize == 0
        assert start + (count - 1) * stride + size <= len(content)
        return np.ndarray((count, width), dtype, content, start, (stride, dtype.itemsize))

    def _sparse(self, array: np.ndarray, sparse: dict) -> np.ndarray:
        dtype = np.dtype(_DTYPES[sparse["indices"]["componentType"]])
        places = self._rows(sparse["indices"], dtype, sparse["count"], 1)
        assert (np.diff(places[:, 0].astype(np.int64)) > 0).all()
        array[places[:, 0]] = self._rows(sparse["values"], array.dtype, sparse["count"], array.shape[1])
        return array

    def key_times(self) -> list[np.ndarray]:
        return [self.accessor(sampler["input"]) for sampler in self.json["animations"][0]["samplers"]]

    def duration(self) -> float:
        return float(max(times[-1] for times in self.key_times()))

    def at(self, seconds: float) -> list[dict[str, np.ndarray]]:
        """The meshes visible at a time: world ``positions``, blended ``normals`` and ``faces`` of each."""
        found: list[dict[str, np.ndarray]] = []
        poses = self._poses(seconds)
        for root in self.json["scenes"][self.json["scene"]]["nodes"]:
            self._visit(root, np.eye(4), poses, found)
        return found

    def pose(self, node: int, seconds: float) -> np.ndarray:
        """The matrix [4,4] of one node within its parent."""
        return self._matrix(node, self._poses(seconds))

    def names(self) -> list[str]:
        """What programs call each node: its name, or that of its mesh."""
        nodes = self.json["nodes"]
        return [node["name"] if "name" in node else self.json["meshes"][node["mesh"]]["name"] for node in nodes]

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
                value = _between(value, values[after].astype(np.float64), share, target["path"])
            poses[target["node"], target["path"]] = value
        return poses

    def _matrix(self, index: int, poses: dict) -> np.ndarray:
        node = self.json["nodes"][index]
        parts = [poses.get((index, path), np.array(node.get(path, rest), float)) for path, rest in _REST.items()]
        matrix = np.eye(4)
        matrix[:3, :3] = Rotation.from_quat(parts[1]).as_matrix() * parts[2]
        matrix[:3, 3] = parts[0]
        return matrix

    def _visit(self, index: int, parent: np.ndarray, poses: dict, found: list) -> None:
        node, world = self.json["nodes"][index], parent @ self._matrix(index, poses)
        assert "matrix" not in node
        if "mesh" in node and world[:3, :3].any():
            mesh = self.json["meshes"][node["mesh"]]
            weights = poses.get((index, "weights"), np.array(mesh.get("weights", [])))
            for primitive in mesh["primitives"]:
                found.append(self._primitive(primitive, weights, world))
        for child in node.get("children", []):
            self._visit(child, world, poses, found)

    def _primitive(self, primitive: dict, weights: np.ndarray, world: np.ndarray) -> dict[str, np.ndarray]:
        shape = {}
        for key, name in (("POSITION", "positions"), ("NORMAL", "normals")):
            if key not in primitive["attributes"]:
                continue
            values = self.accessor(primitive["attributes"][key]).astype(np.float64)
            for weight, target in zip(weights, primitive.get("targets", [])):
                values = values + weight * self.accessor(target[key]) if weight else values
            shape[name] = values
        shape["positions"] = shape["positions"] @ world[:3, :3].T + world[:3, 3]
        if "normals" in shape:
            shape["normals"] = shape["normals"] @ world[:3, :3].T / np.cbrt(np.linalg.det(world[:3, :3]))
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


def _between(start: np.ndarray, end: np.ndarray, share: float, path: str) -> np.ndarray:
    if path == "rotation":
        return Slerp([0, 1], Rotation.from_quat([start, end]))(share).as_quat()
    return start * (1 - share) + end * share
