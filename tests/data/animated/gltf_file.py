"""Writes a GLB from arrays: the few lines the fixtures need, apart from the library's own exporter."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np

_COMPONENTS = {"int8": 5120, "uint8": 5121, "int16": 5122, "uint16": 5123, "uint32": 5125, "float32": 5126}
_TYPES = {1: "SCALAR", 2: "VEC2", 3: "VEC3", 4: "VEC4", 16: "MAT4"}


class GltfFile:
    """Collects arrays and pictures in one buffer; ``document`` takes everything else."""

    def __init__(self, generator: str, copyright_line: str) -> None:
        self.document: dict = {"asset": {"version": "2.0", "generator": generator, "copyright": copyright_line}}
        self._binary = bytearray()
        self._views: list[dict] = []
        self._accessors: list[dict] = []

    def array(self, values: np.ndarray, *, bounds: bool = False, normalized: bool = False) -> int:
        """Store rows [K] or [K,C] (matrices [K,4,4] column by column); return the accessor's index."""
        rows = values.reshape(len(values), -1)
        accessor = {"bufferView": self._view(rows.tobytes()), "count": len(rows), "type": _TYPES[rows.shape[1]]}
        accessor["componentType"] = _COMPONENTS[rows.dtype.name]
        return self._add(accessor, rows, bounds, normalized)

    def sparse(self, values: np.ndarray) -> int:
        """Store rows [K,3] float32 of which many are zero; return the accessor's index."""
        places = np.flatnonzero(values.any(axis=1)).astype(np.uint16)
        accessor: dict = {"componentType": 5126, "count": len(values), "type": "VEC3"}
        if len(places):
            accessor["sparse"] = {
                "count": len(places),
                "indices": {"bufferView": self._view(places.tobytes()), "componentType": 5123},
                "values": {"bufferView": self._view(values[places].tobytes())},
            }
        return self._add(accessor, values, True, False)

    def picture(self, content: bytes, mime: str) -> dict:
        """Store an encoded picture; return its entry for ``images``."""
        return {"bufferView": self._view(content), "mimeType": mime}

    def write(self, path: Path) -> None:
        """Write the file."""
        views = {"buffers": [{"byteLength": len(self._binary)}], "bufferViews": self._views}
        text = json.dumps({**self.document, **views, "accessors": self._accessors}, separators=(",", ":")).encode()
        text += b" " * (-len(text) % 4)
        header = struct.pack("<4s4I4s", b"glTF", 2, 28 + len(text) + len(self._binary), len(text), 0, b"")
        header = header[:16] + b"JSON"
        body = struct.pack("<I4s", len(self._binary), b"BIN\0") + self._binary
        Path(path).write_bytes(header + text + body)

    def _view(self, content: bytes) -> int:
        self._views.append({"buffer": 0, "byteOffset": len(self._binary), "byteLength": len(content)})
        self._binary += content + bytes(-len(content) % 4)
        return len(self._views) - 1

    def _add(self, accessor: dict, rows: np.ndarray, bounds: bool, normalized: bool) -> int:
        if bounds:
            accessor |= {"min": rows.min(axis=0).tolist(), "max": rows.max(axis=0).tolist()}
        if normalized:
            accessor["normalized"] = True
        self._accessors.append(accessor)
        return len(self._accessors) - 1
