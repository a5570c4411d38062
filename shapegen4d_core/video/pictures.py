"""Whole frames of a file or a folder as one tensor, neither cut out nor cropped."""

from __future__ import annotations

import os
from collections.abc import Callable
from math import prod

import numpy as np
import torch
from torch import Tensor

from ..memory import require
from ..progress import Progress, tick
from .reader import open_source
from .selection import select_frames

BYTES_PER_VALUE = 4


def read_pictures(
    path: str | os.PathLike,
    *,
    start: int = 0,
    stop: int | None = None,
    stride: int = 1,
    count: int | None = None,
    progress: Progress | None = None,
    check: Callable[[], None] | None = None,
) -> Tensor:
    """Frames [T,H,W,3], or [T,H,W,4] when one of them has alpha (straight), float32 0..1, in their order.

    Which frames is as in :func:`load_clip`; only those are decoded. Raises InputError, one sentence, for what cannot be
    read, for sizes that differ, for settings that do not fit, and for more pictures than there is memory for.
    """
    source = open_source(path, stop)
    indices = select_frames(source.times, source.end, start, stop, stride, count).indices
    places: dict[int, list[int]] = {}
    for place, index in enumerate(indices):
        places.setdefault(index, []).append(place)
    unique = sorted(places)
    channels = 4 if source.has_alpha(unique) else 3
    frames: Tensor | None = None
    for done, (index, picture) in enumerate(source.pictures(unique), start=1):
        if frames is None:
            frames = _room(len(indices), *picture.shape[:2], channels)
        frames[places[index], :, :, : picture.shape[2]] = _as_float(picture)
        tick(progress, check, done, len(unique))
    return frames


def _room(count: int, height: int, width: int, channels: int) -> Tensor:
    shape = (count, height, width, channels)
    require(
        BYTES_PER_VALUE * prod(shape),
        f"A batch of {count} pictures of {width} x {height}",
        "raise stride, or take fewer of them (stop)",
    )
    return torch.ones(shape)


def _as_float(picture: np.ndarray) -> Tensor:
    values = torch.from_numpy(np.array(picture))
    return values.float() / 255 if values.dtype == torch.uint8 else values.float()
