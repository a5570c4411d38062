"""The header of a PLY: which elements a file has, with which properties, and how its numbers are stored.

Source: Greg Turk, The PLY Polygon File Format, 1994.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ..errors import InputError

_TYPES = {
    "char": "i1", "uchar": "u1", "short": "i2", "ushort": "u2", "int": "i4", "uint": "u4", "float": "f4",
    "double": "f8", "int8": "i1", "uint8": "u1", "int16": "i2", "uint16": "u2", "int32": "i4", "uint32": "u4",
    "float32": "f4", "float64": "f8",
}  # fmt: skip
_ORDERS = {"ascii": "", "binary_little_endian": "<", "binary_big_endian": ">"}
_HEADER_LIMIT, _COUNT_LIMIT = 1 << 16, 2**31


@dataclass(frozen=True)
class Property:
    """A column of an element: its numpy type, and for a list the type of its length."""

    name: str
    type: str
    length: str | None = None


@dataclass(frozen=True)
class Element:
    """So many rows of the same properties."""

    name: str
    count: int
    properties: list[Property] = field(default_factory=list)


@dataclass(frozen=True)
class Header:
    """``order`` is "<" or ">" for binary files and empty for text; the rows begin at byte ``size``."""

    order: str
    elements: list[Element]
    pictures: list[str]
    size: int


def parse_header(content: bytes) -> Header:
    """The header of a PLY; raises InputError when it is none or damaged."""
    head, mark, rest = content[:_HEADER_LIMIT].partition(b"end_header")
    if not content.startswith(b"ply") or not mark:
        raise InputError("it is not PLY: its header is missing or has no end")
    size = len(head) + len(mark) + len(rest.partition(b"\n")[0]) + 1 if b"\n" in rest else len(content)
    order, elements, pictures = None, [], []
    for row in head.splitlines()[1:]:  # as bytes: text ends its lines at further characters, which comments may have
        line = row.decode("utf-8", "replace")
        words = line.split()
        if not words or words[0] == "obj_info":
            continue
        if words[0] == "comment":
            pictures += [line.split(None, 2)[2].strip()] if words[1:2] == ["TextureFile"] and words[2:] else []
        elif words[0] == "format" and len(words) > 1 and words[1] in _ORDERS:
            order = _ORDERS[words[1]]
        elif words[0] == "element" and len(words) == 3:
            elements.append(Element(words[1], _count(words[2])))
        elif words[0] == "property" and elements:
            elements[-1].properties.append(_property(words, line))
        else:
            raise InputError(f"its header has the line {line!r:.80}, which is no part of PLY")
    if order is None:
        raise InputError("its header names no format")
    for element in elements:
        names = {item.name for item in element.properties}
        if len(names) < len(element.properties) or (element.count and not names):
            raise InputError(f"its header gives the element {element.name!r:.40} no properties, or one of them twice")
    return Header(order, elements, pictures, size)


def _property(words: list[str], line: str) -> Property:
    known = all(word in _TYPES for word in words[1:-1] if word != "list")
    if known and len(words) == 3:
        return Property(words[2], _TYPES[words[1]])
    if known and len(words) == 5 and words[1] == "list" and _TYPES[words[2]][0] in "iu":
        return Property(words[4], _TYPES[words[3]], _TYPES[words[2]])
    raise InputError(f"its header has the property {line!r:.80}, which is not understood")


def _count(word: str) -> int:
    if not (word.isascii() and word.isdigit()) or len(word) > 12 or int(word) > _COUNT_LIMIT:
        raise InputError(f"its header announces {word!r:.40} rows, accepted is a number up to {_COUNT_LIMIT}")
    return int(word)
