"""Writes safetensors files array by array, so that long sequences are not joined in memory first.

The library that reads them also writes, but only whole tensors from memory; the bytes are the same.
Format: eight bytes with the length of the header, the header as JSON, the tensors one after another, wide types first.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .progress import Check

_NAMES = {"int64": "I64", "float32": "F32", "int32": "I32", "uint8": "U8"}  # in the order of the file
_ALIGNMENT = 8  # bytes; the header is filled up with blanks to a multiple


@dataclass(frozen=True)
class Rows:
    """Arrays [N_t,...] of one type and width that are stored as one array, in their order."""

    parts: Sequence[np.ndarray]

    @property
    def dtype(self) -> np.dtype:
        """Type of the values."""
        return self.parts[0].dtype

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the joined array."""
        return (sum(len(part) for part in self.parts), *self.parts[0].shape[1:])


def write_tensors(
    path: Path, tensors: Mapping[str, np.ndarray | Rows], metadata: Mapping[str, str], check: Check | None = None
) -> None:
    """Write arrays (float32, int32, int64 or uint8) and rows of arrays with text ``metadata`` to ``path``.

    ``check`` is called between arrays, and rows, and may raise to cancel. Raises ValueError for another type and
    OSError when the system refuses.
    """
    order = list(_NAMES)
    names = sorted(tensors, key=lambda name: (order.index(tensors[name].dtype.name), name))
    header: dict[str, object] = {"__metadata__": dict(metadata)} if metadata else {}
    end = 0
    for name in names:
        start, end = end, end + sum(part.nbytes for part in _parts(tensors[name]))
        kind, shape = _NAMES[tensors[name].dtype.name], list(tensors[name].shape)
        header[name] = {"dtype": kind, "shape": shape, "data_offsets": [start, end]}
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode("utf-8")
    text += b" " * (-len(text) % _ALIGNMENT)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for name in names:
            for part in _parts(tensors[name]):
                if check is not None:
                    check()
                file.write(np.ascontiguousarray(part).data)


def _parts(tensor: np.ndarray | Rows) -> Sequence[np.ndarray]:
    return tensor.parts if isinstance(tensor, Rows) else (tensor,)
