"""The .usdz package: a ZIP whose files are stored as they are, each starting at a multiple of 64 bytes.

Specification: "Usdz File Format Specification" of OpenUSD: no compression, no encryption, the stage first.
"""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Sequence
from pathlib import Path

from ..errors import InputError
from ..progress import Check

PACKAGE_LIMIT = 2**32 - 1  # bytes; 64-bit ZIP records are not allowed
_ALIGNMENT = 64
_LOCAL_HEADER, _FIELD_HEADER, _PADDING_FIELD = 30, 4, 0x1986  # the field's number is any that nobody else uses
_COPY_BYTES = 1 << 20


def write_package(path: Path, files: Sequence[tuple[str, Path]], check: Check | None = None) -> None:
    """Write ``files``, pairs of the name inside (ASCII) and the file, in this order to the package ``path``.

    ``check`` is called between blocks and may raise to cancel. Raises InputError over 4 GiB.
    """
    sizes = [file.stat().st_size for _, file in files]
    if sum(sizes) + 1024 * len(files) > PACKAGE_LIMIT:
        raise InputError(f"The USDZ would take {sum(sizes) / 2**30:.1f} GiB, at most 4 are possible; write .usdc.")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as package:
        for (name, file), size in zip(files, sizes):
            entry = zipfile.ZipInfo(name)
            entry.file_size = size
            entry.extra = _padding(package.fp.tell() + _LOCAL_HEADER + len(name))
            with package.open(entry, "w") as target, open(file, "rb") as source:
                while block := source.read(_COPY_BYTES):
                    if check is not None:
                        check()
                    target.write(block)


def _padding(start: int) -> bytes:
    """An extra field that moves content from ``start`` to the next multiple of 64."""
    missing = -start % _ALIGNMENT
    if missing and missing < _FIELD_HEADER:
        missing += _ALIGNMENT
    if not missing:
        return b""
    size = missing - _FIELD_HEADER
    return struct.pack("<2H", _PADDING_FIELD, size) + bytes(size)
