"""The rows of a PLY's elements as columns: numbers [N], and lists as their lengths [N] with all their items in a row.

What the header announces is compared with the bytes that are there before anything is allocated.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..errors import InputError
from ..progress import Check
from .ply_header import Element, Header

_CODES = {"i1": "b", "u1": "B", "i2": "h", "u2": "H", "i4": "i", "u4": "I", "f4": "f", "f8": "d"}


@dataclass(frozen=True)
class Lists:
    """A list property: ``lengths`` [N] and the ``items`` of all rows, one after the other."""

    lengths: np.ndarray
    items: np.ndarray


Columns = dict[str, "np.ndarray | Lists"]


def read_elements(content: bytes, header: Header, check: Check | None = None) -> dict[str, Columns]:
    """The columns of every element, by the names of element and property; raises InputError when rows are missing.

    ``check`` is called now and then where rows are read one by one, and may raise to cancel.
    """
    read = _binary if header.order else _text
    return dict(read(content, header, check))


def _binary(content: bytes, header: Header, check: Check | None) -> Iterator[tuple[str, Columns]]:
    place = header.size
    for element in header.elements:
        rows = _equal_rows(content, place, element, header.order)
        if rows is not None:
            yield element.name, _columns(rows, element)
            place += rows.nbytes
        else:
            columns, place = _rows_one_by_one(content, place, element, header.order, check)
            yield element.name, columns


def _equal_rows(content: bytes, place: int, element: Element, order: str) -> np.ndarray | None:
    """All rows at once where their lists are as long as those of the first row; None where they are not."""
    fields, reach = [], place
    for item in element.properties:
        if item.length is None:
            fields.append((item.name, order + item.type))
        else:
            length_type = np.dtype(order + item.length)
            if element.count and reach + length_type.itemsize > len(content):
                raise InputError(f"it ends inside its {element.name} rows")
            length = int(np.frombuffer(content, length_type, 1, reach)[0]) if element.count else 0
            if not 0 <= length <= 1 << 16:
                return None
            fields += [(item.name + " length", length_type), (item.name, order + item.type, (length,))]
        reach = place + np.dtype(fields).itemsize
    dtype = np.dtype(fields)
    if element.count * dtype.itemsize > len(content) - place:
        lists = any(item.length for item in element.properties)
        if lists and element.count <= len(content) - place:  # the first row may just be a long one
            return None
        raise InputError(f"it ends inside its {element.name} rows")
    rows = np.frombuffer(content, dtype, element.count, place)
    for item in element.properties:
        if item.length is not None and element.count:
            lengths = rows[item.name + " length"]
            if (lengths != lengths[0]).any():
                return None
    return rows


def _columns(rows: np.ndarray, element: Element) -> Columns:
    return {
        item.name: rows[item.name]
        if item.length is None
        else Lists(rows[item.name + " length"].astype(np.int64), rows[item.name].reshape(-1))
        for item in element.properties
    }


def _rows_one_by_one(
    content: bytes, place: int, element: Element, order: str, check: Check | None
) -> tuple[Columns, int]:
    values: dict[str, list] = {item.name: [] for item in element.properties}
    lengths: dict[str, list[int]] = {item.name: [] for item in element.properties}
    try:
        for _ in _counted(element, check):
            for item in element.properties:
                count = 1
                if item.length is not None:
                    (count,) = struct.unpack_from(order + _CODES[item.length], content, place)
                    place += int(item.length[1])
                    lengths[item.name].append(_length(count, content, element))
                values[item.name] += struct.unpack_from(f"{order}{count}{_CODES[item.type]}", content, place)
                place += count * int(item.type[1])
    except struct.error as error:
        raise InputError(f"it ends inside its {element.name} rows") from error
    return _gathered(element, values, lengths), place


def _text(content: bytes, header: Header, check: Check | None) -> Iterator[tuple[str, Columns]]:
    lines = iter(line for line in content[header.size :].splitlines() if line.strip())
    for element in header.elements:
        values: dict[str, list] = {item.name: [] for item in element.properties}
        lengths: dict[str, list[int]] = {item.name: [] for item in element.properties}
        for _ in _counted(element, check):
            words = iter(next(lines, b"").split())
            try:
                for item in element.properties:
                    count = 1
                    if item.length is not None:
                        count = _length(int(next(words)), content, element)
                        lengths[item.name].append(count)
                    values[item.name] += [float(next(words)) for _ in range(count)]
            except InputError:
                raise
            except (StopIteration, ValueError) as error:
                raise InputError(f"its {element.name} rows are too few or not numbers") from error
        yield element.name, _gathered(element, values, lengths)


def _counted(element: Element, check: Check | None) -> Iterator[int]:
    """The numbers of the rows, with a look at whether to cancel every 65536 of them."""
    for row in range(element.count):
        if check is not None and row % (1 << 16) == 0:
            check()
        yield row


def _length(count: int, content: bytes, element: Element) -> int:
    if not 0 <= count <= len(content):
        raise InputError(f"a list in its {element.name} rows has {str(count)[:20]} items, more than it has bytes")
    return count


def _gathered(element: Element, values: dict[str, list], lengths: dict[str, list[int]]) -> Columns:
    return {
        item.name: np.array(values[item.name])
        if item.length is None
        else Lists(np.array(lengths[item.name], np.int64), np.array(values[item.name]))
        for item in element.properties
    }
