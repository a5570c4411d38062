"""Weight files of full size that take no room: a sound header, and a hole where the values would be."""

from __future__ import annotations

import json
import struct
from math import prod

WIDTHS = {"F32": 4, "F16": 2, "F8_E4M3": 1}


def write_sparse(path, shapes, metadata=None, kind="F32"):
    """Write the header of tensors with these shapes, by name, and make the file as long as it would be."""
    header, end = {"__metadata__": metadata or {"format": "pt"}}, 0
    for name in sorted(shapes):
        start, end = end, end + prod(shapes[name]) * WIDTHS[kind]
        header[name] = {"dtype": kind, "shape": list(shapes[name]), "data_offsets": [start, end]}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        file.truncate(8 + len(text) + end)
    return path
