"""Pictures that Pillow reads: animated GIF, WebP and APNG, single images, and folders of images."""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from ..errors import InputError
from .source import FOLDER_FPS, Source

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF")
SUFFIXES = (".png", ".apng", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff")
PHOTOS = ("JPEG", "MPO")  # further pictures in a photo are previews and depth maps, not frames
ZERO_SECONDS = 0.1  # how long a frame without a duration is shown, as browsers do
UNREADABLE = (  # what Pillow raises for damaged files
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    LookupError,
    OverflowError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
)


class AnimationSource(Source):
    """One image file with one or more frames; frames build on each other, so they are decoded in order.

    Durations are read in one pass that keeps nothing, up to ``limit`` + 1 frames when a limit is given.
    """

    def __init__(self, path: Path, limit: int | None = None) -> None:
        self._path = path
        super().__init__(path.name, np.zeros(0), 0.0)
        starts, clock, self._alpha = [], 0.0, False
        for index, image in self._frames():
            if limit is not None and index > limit:
                break
            starts.append(clock)
            clock += image.info.get("duration", 0.0) / 1000 or ZERO_SECONDS
            self._alpha = self._alpha or transparent(image)
        self.times, self.end = np.array(starts), clock
        if len(starts) == 1:
            self.end = 1.0

    def has_alpha(self, indices: Sequence[int]) -> bool:
        return self._alpha

    def _frames(self) -> Iterator[tuple[int, Image.Image]]:
        index = 0
        try:
            with Image.open(self._path, formats=FORMATS) as image:
                first = int(getattr(image, "default_image", False))  # APNG: a picture outside the animation
                count = 1 if image.format in PHOTOS else getattr(image, "n_frames", 1) - first
                for index in range(count):
                    image.seek(first + index)
                    image.load()
                    yield index, image
        except UNREADABLE as error:
            raise InputError(f"Frame {index} of {self._path} is damaged and cannot be decoded.") from error

    def _decode(self, indices: Sequence[int]) -> Iterator[tuple[int, np.ndarray]]:
        wanted = set(indices)
        for index, image in self._frames():
            self.decoded += 1
            if index in wanted:
                yield index, pixels(image, self.label)
            if index == indices[-1]:
                return


class FolderSource(Source):
    """The images of a folder in natural order (frame2 before frame10), at a constant rate."""

    def __init__(self, folder: Path, limit: int | None = None) -> None:
        files = [file for file in folder.iterdir() if file.suffix.lower() in SUFFIXES]
        self._files = sorted((file for file in files if not file.name.startswith(".")), key=_natural)
        if not self._files:
            raise InputError(f"The folder {folder} has no images; accepted are {', '.join(SUFFIXES)} files.")
        self._files = self._files[: None if limit is None else limit + 1]
        count = len(self._files)
        super().__init__(folder.name, np.arange(count) / FOLDER_FPS, count / FOLDER_FPS if count > 1 else 1.0)

    def has_alpha(self, indices: Sequence[int]) -> bool:
        for index in indices:
            with _opened(self._files[index]) as image:
                if transparent(image):
                    return True
        return False

    def _decode(self, indices: Sequence[int]) -> Iterator[tuple[int, np.ndarray]]:
        for index in indices:
            self.decoded += 1
            with _opened(self._files[index]) as image:
                picture = pixels(image, self._files[index].name)
            yield index, picture


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    try:
        with Image.open(path, formats=FORMATS) as image:
            yield image
    except InputError:
        raise
    except UNREADABLE as error:
        raise InputError(f"{path} is not a readable image; replace it or leave it out.") from error


def transparent(image: Image.Image) -> bool:
    """Whether a Pillow picture carries transparency (a channel, or a transparent palette entry or colour)."""
    return image.mode in ("RGBA", "RGBa", "LA", "La", "PA") or "transparency" in image.info


def pixels(image: Image.Image, label: str) -> np.ndarray:
    """A loaded Pillow picture, upright, as uint8 [H,W,3], or [H,W,4] when it has transparency.

    16-bit grey is scaled to 8 bits; raises InputError for floating point pictures, whose range is unknown.
    """
    if image.mode == "F":
        raise InputError(f"{label} has floating point pixels of unknown range; save it with 8 or 16 bits.")
    if image.mode.startswith("I"):
        grey = np.asarray(image, dtype=np.float64) / 257.0
        return np.repeat(np.clip(np.rint(grey), 0, 255).astype(np.uint8)[..., None], 3, axis=2)
    mode = "RGBA" if transparent(image) else "RGB"
    return np.asarray(ImageOps.exif_transpose(image).convert(mode))


def _natural(file: Path) -> tuple[list[tuple[int, int, str]], str]:
    parts = re.findall(r"\d+|\D+", file.name.lower())
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts], file.name
