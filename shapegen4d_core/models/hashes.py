"""SHA-256 of weight files, so that a result can say which weights made it.

The sums are those of the whole files, as the sites that publish weights show them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path

_BLOCK = 1 << 22  # bytes read at a time
_known: dict[Path, tuple[int, int, str]] = {}  # file -> its size and time of change when summed, and the sum


def file_hashes(files: Iterable[Path], advance: Callable[[int], None] | None = None) -> dict[str, str]:
    """SHA-256 in hexadecimal digits by name, ``folder/file``; a file that has not changed is read once per process.

    advance: called with the bytes of each block, or of a file known already; it may raise to cancel.
    """
    return {f"{file.parent.name}/{file.name}": file_hash(file, advance) for file in files}


def file_hash(file: Path, advance: Callable[[int], None] | None = None) -> str:
    """SHA-256 of one file in hexadecimal digits; ``advance`` as for :func:`file_hashes`."""
    file = file.resolve()
    status = file.stat()
    size, changed, digest = _known.get(file, (0, 0, ""))
    if digest and (size, changed) == (status.st_size, status.st_mtime_ns):
        if advance is not None:
            advance(size)
        return digest
    digest = _digest(file, advance)
    _known[file] = (status.st_size, status.st_mtime_ns, digest)
    return digest


def _digest(file: Path, advance: Callable[[int], None] | None) -> str:
    digest, block = hashlib.sha256(), bytearray(_BLOCK)
    with open(file, "rb", buffering=0) as content:
        while count := content.readinto(block):
            digest.update(memoryview(block)[:count])
            if advance is not None:
                advance(count)
    return digest.hexdigest()
