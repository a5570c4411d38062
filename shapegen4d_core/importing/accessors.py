"""Accessors to arrays: every component type, normalised integers, interleaved views and sparse substitution.

Specification: glTF 2.0, sections 3.6.2 (accessors) and 3.11 (animation data), and KHR_mesh_quantization.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import InputError
from .container import Gltf
from .fields import flag, integer, part, text

DECODED_LIMIT = 2**31  # bytes of all arrays of one file
_DTYPES = {5120: "<i1", 5121: "<u1", 5122: "<i2", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
_WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}


class Accessors:
    """The accessors of one file, each read once."""

    def __init__(self, gltf: Gltf) -> None:
        self._gltf = gltf
        self._read: dict[int, np.ndarray] = {}
        self._floats: dict[int, np.ndarray] = {}
        self._room = DECODED_LIMIT

    def numbers(self, index: Any, kinds: str, where: str) -> np.ndarray:
        """Values [K,C] float32 of an accessor whose type is one of the words in ``kinds``.

        Integers marked normalised become 0..1 or -1..1. Raises InputError for NaN and infinity too.
        """
        array = self._array(index, kinds, where)
        if index not in self._floats:
            accessor = self._gltf.entry("accessors", index, where)
            normalised = flag(accessor, "normalized", f"accessor {index}") and array.dtype.kind in "iu"
            if array.dtype.kind == "f" and not np.isfinite(array).all():
                raise InputError(f"accessor {index} has values that are not finite (NaN or infinity)")
            self._floats[index] = _normalised(array) if normalised else array.astype(np.float32, copy=False)
        return self._floats[index]

    def integers(self, index: Any, kinds: str, where: str) -> np.ndarray:
        """Unsigned integers [K,C] of an accessor whose type is one of the words in ``kinds``."""
        array = self._array(index, kinds, where)
        if array.dtype.kind != "u":
            raise InputError(f"accessor {index} has {array.dtype} values, but {where} needs unsigned integers")
        return array

    def _array(self, index: Any, kinds: str, where: str) -> np.ndarray:
        accessor = self._gltf.entry("accessors", index, where)
        kind = text(accessor, "type", f"accessor {index}")
        if kind not in kinds.split() or kind not in _WIDTHS:
            raise InputError(f"accessor {index} is {kind!r:.20}, but {where} needs {kinds.replace(' ', ' or ')}")
        if index not in self._read:
            self._read[index] = self._decode(accessor, f"accessor {index}", _WIDTHS[kind])
        return self._read[index]

    def _decode(self, accessor: dict[str, Any], name: str, width: int) -> np.ndarray:
        dtype, count = _dtype(accessor, name), integer(accessor, "count", name)
        self._room -= 2 * count * width * 4
        if self._room < 0:
            raise InputError(f"its arrays unpack to more than {DECODED_LIMIT >> 30} GiB, the most that is read")
        if "bufferView" in accessor:
            array = self._strided(accessor, name, dtype, count, width)
        else:
            array = np.zeros((count, width), dtype)
        sparse = part(accessor, "sparse", name)
        return self._substituted(array, sparse, f"the sparse part of {name}") if sparse else array

    def _strided(self, entry: dict[str, Any], name: str, dtype: np.dtype, count: int, width: int) -> np.ndarray:
        """Rows [count,width] from the bufferView of an accessor or of one half of a sparse part."""
        view, stride = self._gltf.view(entry["bufferView"], name)
        if not count:
            return np.zeros((0, width), dtype)
        start, size = integer(entry, "byteOffset", name, 0), dtype.itemsize * width
        stride = stride or size
        end = start + (count - 1) * stride + size
        if stride < size or end > len(view):
            raise InputError(f"{name} needs {end} bytes at stride {stride}, but its bufferView has {len(view)} bytes")
        return np.ndarray((count, width), dtype, view, start, (stride, dtype.itemsize))

    def _substituted(self, array: np.ndarray, sparse: dict[str, Any], name: str) -> np.ndarray:
        count = integer(sparse, "count", name)
        where, what = part(sparse, "indices", name), part(sparse, "values", name)
        if count > len(array) or "bufferView" not in where or "bufferView" not in what:
            raise InputError(f"{name} replaces {count} of {len(array)} elements without saying from where")
        places = self._strided(where, name, _dtype(where, name), count, 1)[:, 0]
        if places.dtype.kind != "u" or (count and int(places.max()) >= len(array)):
            raise InputError(f"{name} has indices beyond its {len(array)} elements")
        values = self._strided(what, name, array.dtype, count, array.shape[1])
        array = array.copy()
        array[places.astype(np.int64)] = values
        return array


def _dtype(entry: dict[str, Any], name: str) -> np.dtype:
    code = integer(entry, "componentType", name)
    if code not in _DTYPES:
        raise InputError(f"{name} has componentType {code}, accepted are {', '.join(map(str, _DTYPES))}")
    return np.dtype(_DTYPES[code])


def _normalised(array: np.ndarray) -> np.ndarray:
    """Integers as fractions of the largest value of their type, at least -1."""
    return np.maximum(array / np.float64(np.iinfo(array.dtype).max), -1).astype(np.float32)
