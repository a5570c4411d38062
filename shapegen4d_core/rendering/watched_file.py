"""A file for writers that take long over one picture: it can be cancelled with every piece that they write."""

from __future__ import annotations

import os
from typing import Any

from ..progress import Check


class WatchedFile:
    """A new binary file; ``check`` may raise with each piece. It has no number, so writers of C cannot go around it."""

    def __init__(self, path: str | os.PathLike, check: Check | None) -> None:
        self._file, self._check = open(path, "wb"), check

    def __enter__(self) -> WatchedFile:
        return self

    def __exit__(self, *_: Any) -> None:
        self._file.close()

    def write(self, piece: Any) -> int:
        """Write one piece."""
        if self._check is not None:
            self._check()
        return self._file.write(piece)

    def flush(self) -> None:
        """Pass on what is held back."""
        self._file.flush()

    def seek(self, *place: int) -> int:
        """Go to a place."""
        return self._file.seek(*place)

    def tell(self) -> int:
        """The place that is written next."""
        return self._file.tell()
