"""Arrays that stay in their safetensors files: rows are read, or written, when they are asked for.

Plain reads instead of memory maps: a map keeps its file open, and systems allow about a thousand open files where a
data set has more shards. Processes share what is read through the system's cache either way.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from torch import Tensor

from ..errors import InputError

_TYPES = {"F16": np.dtype(np.float16), "F32": np.dtype(np.float32), "U8": np.dtype(np.uint8)}
_ALIGNMENT = 8  # bytes; the header is filled up with blanks to a multiple


@dataclass(frozen=True)
class StoredArray:
    """An array [K,...] in a file, from the byte ``offset`` on."""

    path: Path
    offset: int
    shape: tuple[int, ...]
    dtype: np.dtype

    @property
    def flat(self) -> StoredArray:
        """The same values as one array [K*...]."""
        return StoredArray(self.path, self.offset, (math.prod(self.shape),), self.dtype)

    def joined(self) -> StoredArray:
        """The first two dimensions as one: frames [K*T,...] of clips [K,T,...]."""
        return StoredArray(self.path, self.offset, (self.shape[0] * self.shape[1], *self.shape[2:]), self.dtype)

    def read(self, start: int, stop: int) -> np.ndarray:
        """Rows ``start`` to ``stop``, a new array; raises InputError when the file has become shorter."""
        out = np.empty((stop - start, *self.shape[1:]), self.dtype)
        with open(self.path, "rb") as file:
            self.fill(file, start, out)
        return out

    def fill(self, file: BinaryIO, start: int, out: np.ndarray) -> None:
        """Read rows from ``start`` on into ``out``, from ``file``, the open file; raises InputError as ``read``."""
        file.seek(self.offset + start * self._row_bytes)
        if file.readinto(out.reshape(-1).view(np.uint8)) != out.nbytes:
            raise InputError(f"{self.path} has become shorter than its header says; make it again.")

    def write(self, start: int, rows: np.ndarray) -> None:
        """Replace rows [R,...] from ``start`` on; raises ValueError for another shape or type."""
        if rows.shape[1:] != self.shape[1:] or rows.dtype != self.dtype or start + len(rows) > self.shape[0]:
            raise ValueError(f"{list(rows.shape)} {rows.dtype} from row {start} on: {list(self.shape)} {self.dtype}")
        with open(self.path, "r+b") as file:
            file.seek(self.offset + start * self._row_bytes)
            file.write(np.ascontiguousarray(rows).data)

    @property
    def _row_bytes(self) -> int:
        return math.prod(self.shape[1:]) * self.dtype.itemsize


class StoredRows:
    """Arrays [K,T,...] of one or many files as one [clips,T,...] on the CPU, indexed as a tensor would be."""

    device = torch.device("cpu")

    def __init__(self, parts: Sequence[StoredArray]) -> None:
        """``parts``: in the order of the clips, of one type and the same shape past the first dimension."""
        self._parts = list(parts)
        self._starts = np.cumsum([0, *(part.shape[0] for part in parts)])
        self.shape = (int(self._starts[-1]), *parts[0].shape[1:])
        self.nbytes = math.prod(self.shape) * parts[0].dtype.itemsize

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: int | tuple[np.ndarray | Tensor, np.ndarray | Tensor]) -> Tensor:
        """A clip [T,...], or frames [F,...] by clips [F] and frames [F]; raises IndexError past the end."""
        if isinstance(index, tuple):
            clip, frame = (np.asarray(part, dtype=np.int64) for part in index)
        else:
            clip, frame = np.full(self.shape[1], index), np.arange(self.shape[1])
        for part, size in ((clip, self.shape[0]), (frame, self.shape[1])):
            if part.size and not 0 <= part.min() <= part.max() < size:
                raise IndexError(f"rows {part.min()} to {part.max()} of {size}")
        out = np.empty((len(clip), *self.shape[2:]), self._parts[0].dtype)
        owner = np.searchsorted(self._starts, clip, side="right") - 1
        rows = (clip - self._starts[owner]) * self.shape[1] + frame
        for number in np.unique(owner):
            frames = self._parts[number].joined()
            with open(frames.path, "rb") as file:
                for place in np.flatnonzero(owner == number):
                    frames.fill(file, int(rows[place]), out[place])
        return torch.from_numpy(out)

    def whole(self, device: torch.device | str = "cpu") -> Tensor:
        """All clips as one tensor [clips,T,...] on a device, filled clip by clip so that nothing is held twice."""
        kind = torch.from_numpy(np.empty(0, self._parts[0].dtype)).dtype
        out = torch.empty(self.shape, dtype=kind, device=device)
        for start, part in zip(self._starts, self._parts):
            for clip in range(part.shape[0]):
                out[int(start) + clip] = torch.from_numpy(part.read(clip, clip + 1)[0])
        return out


def stored_array(path: str | Path, key: str) -> StoredArray:
    """Where the tensor ``key`` of a safetensors file lies; raises InputError when the file is damaged or lacks it."""
    path = Path(path)
    try:
        with open(path, "rb") as file:
            size = struct.unpack("<Q", file.read(8))[0]
            entry = json.loads(file.read(min(size, path.stat().st_size)))[key]
        begin, end = entry["data_offsets"]
        array = StoredArray(path, 8 + size + begin, tuple(entry["shape"]), _TYPES[entry["dtype"]])
        if end - begin != math.prod(array.shape) * array.dtype.itemsize or 8 + size + end > path.stat().st_size:
            raise ValueError(f"{key} has {end - begin} bytes")
    except (OSError, struct.error, ValueError, KeyError, TypeError, RecursionError) as error:
        raise InputError(f"{path} is damaged or lacks {key}; make it again.") from error
    return array


def create_arrays(
    path: str | Path, shapes: Mapping[str, tuple[tuple[int, ...], type]], metadata: Mapping[str, str]
) -> dict[str, StoredArray]:
    """Write a safetensors file of zeros, of (shape, type) by name, whose rows are to be written afterwards.

    As the library does, wide types come first, then names in order. Raises OSError when the system refuses.
    """
    names, end = {dtype: name for name, dtype in _TYPES.items()}, 0
    header: dict[str, object] = {"__metadata__": dict(sorted(metadata.items()))} if metadata else {}
    for key in sorted(shapes, key=lambda key: (-np.dtype(shapes[key][1]).itemsize, key)):
        shape, dtype = shapes[key][0], np.dtype(shapes[key][1])
        begin, end = end, end + math.prod(shape) * dtype.itemsize
        header[key] = {"dtype": names[dtype], "shape": list(shape), "data_offsets": [begin, end]}
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % _ALIGNMENT)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        file.truncate(8 + len(text) + end)
    return {key: stored_array(path, key) for key in shapes}
