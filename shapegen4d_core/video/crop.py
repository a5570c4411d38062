"""One square for a whole clip: the object's box over all frames, and cutting frames to it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from PIL import Image
from scipy import ndimage

OBJECT_ALPHA = 0.05  # pixels above this alpha belong to the object; fainter ones are noise of codecs
SPECK_SHARE = 0.001  # patches smaller than this share of the frame's largest patch do not count for the box
SPECK_PIXELS = 4  # nor do patches of fewer pixels
FAINTEST = 1e-3  # alpha below this, left by resampling, becomes 0


@dataclass(frozen=True)
class Box:
    """A rectangle in pixel edges: ``left`` <= x < ``right``, ``top`` <= y < ``bottom``."""

    left: int
    top: int
    right: int
    bottom: int

    def touches(self, height: int, width: int) -> bool:
        """Whether it reaches the border of a picture of this size."""
        return self.left <= 0 or self.top <= 0 or self.right >= width or self.bottom >= height


@dataclass(frozen=True)
class Square:
    """A square in source pixels: corner (``x0``, ``y0``), ``side``; it may reach outside the picture."""

    x0: float
    y0: float
    side: float


def object_box(alpha: np.ndarray) -> Box | None:
    """Box of the object in ``alpha`` [H,W] 0..1, None when there is none.

    The object is every pixel above ``OBJECT_ALPHA`` except stray specks: patches (8-connected) that are
    smaller than ``SPECK_PIXELS`` pixels or ``SPECK_SHARE`` of the largest patch. The largest patch always
    counts.
    """
    above = alpha > OBJECT_ALPHA
    rows, columns = np.flatnonzero(above.any(axis=1)), np.flatnonzero(above.any(axis=0))
    if len(rows) == 0:
        return None
    top, left = int(rows[0]), int(columns[0])
    patches, _ = ndimage.label(above[top : rows[-1] + 1, left : columns[-1] + 1], np.ones((3, 3), int))
    sizes = np.bincount(patches.ravel())[1:]
    least = min(max(SPECK_PIXELS, SPECK_SHARE * sizes.max()), sizes.max())
    found = [box for box, size in zip(ndimage.find_objects(patches), sizes) if size >= least]
    return union(Box(left + x.start, top + y.start, left + x.stop, top + y.stop) for y, x in found)


def union(boxes: Iterable[Box]) -> Box:
    """The smallest box that holds all ``boxes`` (at least one)."""
    lefts, tops, rights, bottoms = zip(*((box.left, box.top, box.right, box.bottom) for box in boxes))
    return Box(min(lefts), min(tops), max(rights), max(bottoms))


def square_around(box: Box, foreground_ratio: float) -> Square:
    """The square centred on ``box`` whose side is the longer side of the box over ``foreground_ratio``."""
    width, height = box.right - box.left, box.bottom - box.top
    side = max(width, height) / foreground_ratio
    return Square((box.left + box.right - side) / 2, (box.top + box.bottom - side) / 2, side)


def cut(colour: np.ndarray, alpha: np.ndarray, square: Square, size: int) -> np.ndarray:
    """Resample the ``square`` of a frame to ``size`` x ``size`` pixels, float32 [S,S,4], straight alpha 0..1.

    ``colour`` is [H,W,3] uint8 or float 0..1, ``alpha`` [H,W] float32. Outside the picture all is
    transparent. Channels are multiplied by alpha, resampled in float by Pillow (bicubic, antialiased when
    shrinking) and divided again, so transparent pixels do not bleed into the outline; fully transparent
    pixels come out black.
    """
    margin = math.ceil(2 * max(1.0, square.side / size)) + 1  # reach of the filter
    left, top = math.floor(square.x0) - margin, math.floor(square.y0) - margin
    extent = math.ceil(square.side) + 2 * margin + 1
    x, y = square.x0 - left, square.y0 - top
    window = (x, y, x + square.side, y + square.side)

    def resample(channel: np.ndarray) -> np.ndarray:
        image = Image.fromarray(_window(channel, left, top, extent))
        return np.asarray(image.resize((size, size), Image.Resampling.BICUBIC, box=window))

    scale = 1 / 255 if colour.dtype == np.uint8 else 1.0
    covered = np.clip(resample(alpha), 0.0, 1.0)
    covered[covered < FAINTEST] = 0.0
    result = np.zeros((size, size, 4), np.float32)
    result[..., 3] = covered
    for channel in range(3):
        weighted = resample(colour[..., channel] * (alpha * np.float32(scale)))
        np.divide(weighted, covered, out=result[..., channel], where=covered > 0)
    return np.clip(result, 0.0, 1.0, out=result)


def _window(channel: np.ndarray, left: int, top: int, extent: int) -> np.ndarray:
    """The ``extent`` x ``extent`` pixels from (left, top), 0 outside ``channel`` [H,W]."""
    height, width = channel.shape
    result = np.zeros((extent, extent), np.float32)
    x0, x1, y0, y1 = max(left, 0), min(left + extent, width), max(top, 0), min(top + extent, height)
    result[y0 - top : y1 - top, x0 - left : x1 - left] = channel[y0:y1, x0:x1]
    return result
