"""The binary half of a GLB: accessors written section by section to disk, so that memory stays bounded.

Each section is one glTF bufferView (all float vectors, all 16-bit vectors, all indices, all key frames, the image
and so on). Sections grow in temporary files while frames arrive; the container copies them behind the JSON.
Specification: glTF 2.0, section 3.6 (binary data, sparse accessors in 3.6.2.3) and 4.4 (GLB stored buffer).
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from ..errors import InputError

GLB_LIMIT = 2**32 - 1  # bytes; the length field of a GLB is an unsigned 32-bit integer
_COPY_BYTES = 1 << 20
_COMPONENT = {"int8": 5120, "uint8": 5121, "int16": 5122, "uint16": 5123, "uint32": 5125, "float32": 5126}
_SPARSE_BELOW = 0.7  # share of rows that are not zero, below which a sparse accessor is clearly smaller
_KINDS = {1: "SCALAR", 2: "VEC2", 3: "VEC3", 4: "VEC4", 16: "MAT4"}
_ARRAY_BUFFER, _ELEMENT_ARRAY_BUFFER = 34962, 34963


@dataclass
class _Section:
    file: IO[bytes]
    view: dict[str, int]  # target and byteStride of the bufferView
    size: int = 0  # bytes, always a multiple of 4


class BufferSpool:
    """Collects accessors and images of one file; a context manager that removes its temporary files.

    ``folder`` holds the temporary files, normally the destination's, so that they share its disk.
    """

    _VIEWS = {
        "vectors": {"target": _ARRAY_BUFFER, "byteStride": 12},
        "short vectors": {"target": _ARRAY_BUFFER, "byteStride": 8},
        "byte vectors": {"target": _ARRAY_BUFFER, "byteStride": 4},
        "texture coordinates": {"target": _ARRAY_BUFFER, "byteStride": 8},
        "short texture coordinates": {"target": _ARRAY_BUFFER, "byteStride": 4},
        "joints": {"target": _ARRAY_BUFFER, "byteStride": 4},
        "short joints": {"target": _ARRAY_BUFFER, "byteStride": 8},
        "weights": {"target": _ARRAY_BUFFER, "byteStride": 16},
        "indices": {"target": _ELEMENT_ARRAY_BUFFER},
        "matrices": {},
        "sparse": {},
        "keys": {},
        "image": {},
    }
    _VECTORS = {"float32": "vectors", "int16": "short vectors", "int8": "byte vectors"}
    _COORDINATES = {"float32": "texture coordinates", "uint16": "short texture coordinates"}

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files = ExitStack()
        self._sections: dict[str, _Section] = {}
        self._zeros: dict[tuple[str, int], int] = {}
        self.accessors: list[dict[str, Any]] = []

    def __enter__(self) -> BufferSpool:
        return self

    def __exit__(self, *_: object) -> None:
        self._files.close()

    def vectors(self, array: np.ndarray, bounds: bool = False) -> int:
        """Store vectors [V,3] and return the accessor's index; positions need their ``bounds``.

        float32 as they are, int16 as whole numbers, int8 as fractions of 127 (KHR_mesh_quantization).
        """
        return self._accessor(self._VECTORS[array.dtype.name], array, bounds, normalised=array.dtype == np.int8)

    def changes(self, array: np.ndarray, bounds: bool = False) -> int:
        """Store vectors [V,3] as :meth:`vectors`, but only the rows that are not zero where that is smaller."""
        moved = np.flatnonzero(array.any(axis=1))
        if len(moved) >= _SPARSE_BELOW * len(array):
            return self.vectors(array, bounds)
        kind = (array.dtype.name, len(array))
        if len(moved) or kind not in self._zeros:
            index = self._sparse(array, moved, bounds)
            if len(moved):
                return index
            self._zeros[kind] = index
        return self._zeros[kind]

    def texture_coordinates(self, array: np.ndarray) -> int:
        """Store texture coordinates [V,2], origin top left, float32 or uint16 fractions of 65535; return the index."""
        return self._accessor(self._COORDINATES[array.dtype.name], array, normalised=array.dtype == np.uint16)

    def indices(self, faces: np.ndarray, vertex_count: int) -> int:
        """Store faces [F,3], 16-bit below 65535 vertices, else 32-bit; return the accessor's index."""
        dtype = np.uint16 if vertex_count < 65535 else np.uint32
        return self._accessor("indices", faces.astype(dtype).reshape(-1))

    def joints(self, array: np.ndarray) -> int:
        """Store the joint numbers [V,4] of a skin, uint8 or uint16; return the accessor's index."""
        return self._accessor("joints" if array.dtype == np.uint8 else "short joints", array)

    def weights(self, array: np.ndarray) -> int:
        """Store the joint weights [V,4] float32 of a skin; return the accessor's index."""
        return self._accessor("weights", array)

    def matrices(self, array: np.ndarray) -> int:
        """Store matrices [J,16] float32, column after column; return the accessor's index."""
        return self._accessor("matrices", array)

    def key_times(self, seconds: np.ndarray) -> int:
        """Store key frame times [K] float32 in seconds; return the accessor's index."""
        return self._accessor("keys", seconds, bounds=True)

    def key_values(self, values: np.ndarray) -> int:
        """Store key frame values, float32 [K] scalars, [K,3] vectors or [K,4] quaternions; return the index."""
        return self._accessor("keys", values)

    def image(self, content: bytes) -> int:
        """Store one encoded picture; return the index of its bufferView."""
        self._append("image", content)
        return self._view("image")

    @property
    def size(self) -> int:
        """Bytes stored so far, padding included."""
        return sum(section.size for section in self._sections.values())

    def views(self) -> list[dict[str, int]]:
        """The bufferViews of the sections, laid end to end in one buffer."""
        views, offset = [], 0
        for section in self._sections.values():
            views.append({"buffer": 0, "byteOffset": offset, "byteLength": section.size, **section.view})
            offset += section.size
        return views

    def blocks(self) -> Iterator[bytes]:
        """The whole buffer, in order, in blocks of at most 1 MiB."""
        for section in self._sections.values():
            section.file.seek(0)
            while block := section.file.read(_COPY_BYTES):
                yield block

    def _accessor(self, name: str, array: np.ndarray, bounds: bool = False, normalised: bool = False) -> int:
        start = self._append(name, _rows(array, self._VIEWS[name].get("byteStride", 0)).tobytes())
        return self._listed({"bufferView": self._view(name), "byteOffset": start}, array, bounds, normalised)

    def _sparse(self, array: np.ndarray, moved: np.ndarray, bounds: bool) -> int:
        """An accessor that is zero but for the rows ``moved`` [M]."""
        substituted = {}
        if len(moved):
            places = moved.astype(np.uint16 if len(array) < 65535 else np.uint32)
            rows = {"bufferView": 0, "byteOffset": self._append("sparse", places.tobytes())}
            values = {"bufferView": 0, "byteOffset": self._append("sparse", array[moved].tobytes())}
            rows["bufferView"] = values["bufferView"] = self._view("sparse")
            rows["componentType"] = _COMPONENT[places.dtype.name]
            substituted = {"sparse": {"count": len(moved), "indices": rows, "values": values}}
        return self._listed(substituted, array, bounds, array.dtype == np.int8)

    def _listed(self, entry: dict[str, Any], array: np.ndarray, bounds: bool, normalised: bool) -> int:
        entry["componentType"] = _COMPONENT[array.dtype.name]
        entry["count"] = len(array)
        entry["type"] = _KINDS[array.shape[1] if array.ndim == 2 else 1]
        if normalised:
            entry["normalized"] = True
        if bounds:
            rows = array.reshape(len(array), -1)
            entry["min"], entry["max"] = _short(rows.min(axis=0)), _short(rows.max(axis=0))
        self.accessors.append(entry)
        return len(self.accessors) - 1

    def _view(self, name: str) -> int:
        return list(self._sections).index(name)

    def _append(self, name: str, content: bytes) -> int:
        section = self._sections.get(name)
        if section is None:
            file = self._files.enter_context(tempfile.TemporaryFile(dir=self._folder, prefix=".glb-"))
            section = self._sections[name] = _Section(file, self._VIEWS[name])
        start, padding = section.size, -len(content) % 4
        if self.size + len(content) + padding > GLB_LIMIT:
            raise InputError(
                "The sequence needs more than 4 GiB, the most a GLB can hold; use fewer frames or faces."
            )
        section.file.write(content)
        section.file.write(bytes(padding))
        section.size += len(content) + padding
        return start


def _rows(array: np.ndarray, stride: int) -> np.ndarray:
    """``array``, its rows filled up with zeros to ``stride`` bytes (0: as they are)."""
    array = np.ascontiguousarray(array)
    width = stride // array.itemsize
    if not stride or array.shape[1] == width:
        return array
    return np.concatenate([array, np.zeros((len(array), width - array.shape[1]), array.dtype)], axis=1)


def _short(values: np.ndarray) -> list[float] | list[int]:
    """Numbers for JSON: float32 by the fewest digits that mean it, which readers round back."""
    return [float(str(value)) for value in values] if values.dtype.kind == "f" else values.tolist()
