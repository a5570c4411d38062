"""Open any accepted input as a :class:`Source`, told apart by content, not by name."""

from __future__ import annotations

import os
from pathlib import Path

from PIL import Image

from ..errors import InputError
from .container import VideoSource
from .images import FORMATS, UNREADABLE, AnimationSource, FolderSource
from .source import Source


def open_source(path: str | os.PathLike, limit: int | None = None) -> Source:
    """Open a video (mp4, webm, mov ...), an animated or single image (gif, webp, png ...) or a folder.

    With a ``limit``, timing needs to be known only up to frame ``limit``, so long files open quickly.
    Raises InputError, one sentence, when there is nothing there or nothing readable.
    """
    path = Path(path)
    if path.is_dir():
        return FolderSource(path, limit)
    if not path.is_file():
        raise InputError(f"{path} does not exist; give a video, an animated image or a folder of images.")
    try:
        with Image.open(path, formats=FORMATS):
            is_image = True
    except UNREADABLE:
        is_image = False
    return AnimationSource(path, limit) if is_image else VideoSource(path, limit)
