"""The GLB container: a 12-byte header, one JSON chunk, one binary chunk (glTF 2.0, section 4.4)."""

from __future__ import annotations

import json
import struct
import warnings
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..progress import Check
from .gltf_buffers import GLB_LIMIT, BufferSpool

_MAGIC, _VERSION, _JSON, _BIN = 0x46546C67, 2, 0x4E4F534A, 0x004E4942
_READ_FIRST = 1 << 20  # bytes a ComfyUI page reads of a dropped file to find the workflow in it


def write_container(path: Path, document: dict, spool: BufferSpool, check: Check | None = None) -> None:
    """Write ``document`` (all but its buffers, views and accessors) and the spooled buffer to ``path``.

    ``check`` is called between blocks and may raise to cancel. Warns when the JSON ends behind the first MiB.
    Raises InputError when the document is not JSON or the file would pass 4 GiB.
    """
    chunk = _json_chunk(document, spool)
    length = 12 + 8 + len(chunk) + 8 + spool.size
    if length > GLB_LIMIT:
        raise InputError(
            f"The GLB would take {length / 2**30:.1f} GiB, at most 4 are possible; use fewer frames or faces."
        )
    if 20 + len(chunk) > _READ_FIRST:
        warnings.warn(
            f"The JSON of this GLB takes {len(chunk) / 2**20:.1f} MiB; ComfyUI reads the first MiB only and "
            "will not find a workflow stored in it.",
            stacklevel=2,
        )
    with open(path, "wb") as file:
        file.write(struct.pack("<3I", _MAGIC, _VERSION, length))
        file.write(struct.pack("<2I", len(chunk), _JSON) + chunk)
        file.write(struct.pack("<2I", spool.size, _BIN))
        for block in spool.blocks():
            if check is not None:
                check()
            file.write(block)


def _json_chunk(document: dict[str, Any], spool: BufferSpool) -> bytes:
    document = {
        **document,
        "buffers": [{"byteLength": spool.size}],
        "bufferViews": spool.views(),
        "accessors": spool.accessors,
    }
    try:
        text = json.dumps(document, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise InputError(f"The GLB's extras cannot be written as JSON ({error}); pass text.") from error
    chunk = text.encode("ascii")
    return chunk + b" " * (-len(chunk) % 4)
