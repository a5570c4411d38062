"""SHA-256 of weight files, so that a result can say which weights made it.

The sums are those of the whole files, as the sites that publish weights show them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

_BLOCK = 1 << 22  # bytes read at a time


def file_hashes(files: Iterable[Path]) -> dict[str, str]:
    """SHA-256 in hexadecimal digits by name, ``folder/file``; a file that has not changed is read once per process."""
    return {f"{file.parent.name}/{file.name}": _of(file.resolve()) for file in files}


def _of(file: Path) -> str:
    status = file.stat()
    return _digest(file, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=256)
def _digest(file: Path, size: int, changed: int) -> str:
    digest, block = hashlib.sha256(), bytearray(_BLOCK)
    with open(file, "rb", buffering=0) as content:
        while count := content.readinto(block):
            digest.update(memoryview(block)[:count])
    return digest.hexdigest()
