"""The binary half of a GLB: accessors written section by section to disk, so that memory stays bounded.

Each section is one glTF bufferView (all positions and normals, all texture coordinates, all indices, all key
frames, the image). Sections grow in temporary files while frames arrive; the container copies them behind the
JSON.
Specification: glTF 2.0, section 3.6 (binary data) and 4.4 (GLB stored buffer).
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
_COMPONENT = {"uint16": 5123, "uint32": 5125, "float32": 5126}
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
        "texture coordinates": {"target": _ARRAY_BUFFER, "byteStride": 8},
        "indices": {"target": _ELEMENT_ARRAY_BUFFER},
        "keys": {},
        "image": {},
    }

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files = ExitStack()
        self._sections: dict[str, _Section] = {}
        self.accessors: list[dict[str, Any]] = []

    def __enter__(self) -> BufferSpool:
        return self

    def __exit__(self, *_: object) -> None:
        self._files.close()

    def vectors(self, array: np.ndarray, bounds: bool = False) -> int:
        """Store vectors [V,3] float32, positions with their ``bounds``; return the accessor's index."""
        return self._accessor("vectors", array, "VEC3", bounds)

    def texture_coordinates(self, array: np.ndarray) -> int:
        """Store texture coordinates [V,2] float32, origin top left; return the accessor's index."""
        return self._accessor("texture coordinates", array, "VEC2", False)

    def indices(self, faces: np.ndarray, vertex_count: int) -> int:
        """Store faces [F,3], 16-bit below 65535 vertices, else 32-bit; return the accessor's index."""
        dtype = np.uint16 if vertex_count < 65535 else np.uint32
        return self._accessor("indices", faces.astype(dtype).reshape(-1), "SCALAR", False)

    def key_times(self, seconds: np.ndarray) -> int:
        """Store key frame times [K] float32 in seconds; return the accessor's index."""
        return self._accessor("keys", seconds, "SCALAR", True)

    def key_values(self, values: np.ndarray) -> int:
        """Store key frame values, float32 [K] scalars or [K,3] vectors; return the accessor's index."""
        return self._accessor("keys", values, "VEC3" if values.ndim == 2 else "SCALAR", False)

    def image(self, content: bytes) -> int:
        """Store one encoded picture; return the index of its bufferView."""
        self._append("image", content)
        return list(self._sections).index("image")

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

    def _accessor(self, name: str, array: np.ndarray, kind: str, bounds: bool) -> int:
        accessor = {
            "bufferView": 0,
            "byteOffset": self._append(name, np.ascontiguousarray(array).tobytes()),
            "componentType": _COMPONENT[array.dtype.name],
            "count": len(array),
            "type": kind,
        }
        accessor["bufferView"] = list(self._sections).index(name)
        if bounds:
            rows = array.reshape(len(array), -1)
            accessor["min"], accessor["max"] = rows.min(axis=0).tolist(), rows.max(axis=0).tolist()
        self.accessors.append(accessor)
        return len(self.accessors) - 1

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
