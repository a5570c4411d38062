"""From a file, a folder or a host's frames to a :class:`Clip`: choose frames, cut the object out, crop once.

The source is read twice: first only the object's box of each frame is kept, then each frame is cropped to
the one square and kept at its final size. So memory holds one source frame (and a few copies of it) beside
the clip, however long or large the source is.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..errors import InputError
from ..memory import require
from ..progress import Progress, tick
from ..sequence import Clip
from .crop import Box, Square, cut, object_box, square_around, union
from .matte import Mask, Matte, choose_matte
from .notices import BorderWarning, StillWarning, frame_list, warn
from .reader import open_source
from .selection import Selection, check_range, select_frames
from .source import Source, TensorSource

CLIP_BYTES = 16 * 3  # of a pixel, with room for the copies that follow
FULL_SHARE = 0.97  # a mask that covers more of a frame than this is taken for an inverted one


def load_clip(
    path: str | os.PathLike,
    *,
    size: int = 518,
    start: int = 0,
    stop: int | None = None,
    stride: int = 1,
    count: int | None = None,
    mask: Mask | None = None,
    matte: str = "auto",
    tolerance: float = 0.08,
    foreground_ratio: float = 0.95,
    fps: float | None = None,
    progress: Progress | None = None,
    check: Callable[[], None] | None = None,
) -> Clip:
    """Read one object from a video, an animated or single image, or a folder of images, as a :class:`Clip`.

    Frames ``start`` <= i < ``stop`` are taken, every ``stride``-th, and of those ``count`` at equal times
    (see :func:`select_frames`). Their rate is the true mean rate; ``fps`` replaces the source's own timing
    (folders have none: 24 frames per second, and a single image counts as one second). Alpha comes from the
    frames, from a ``mask`` (file, folder or tensor, 1 = object, one per source frame or one for all) or
    from a plain background keyed with ``tolerance`` (see :mod:`shapegen4d_core.video.key`); a learnt matte
    is the host's job. All frames are cut to one square, in which the longer side of the object's box over
    all frames fills ``foreground_ratio``, and resampled to ``size`` x ``size``.

    Raises InputError, one sentence, for input or settings that cannot be used; warns (BorderWarning) when
    the object touches the border of the picture and (StillWarning) when there is only one frame.
    ``progress`` counts each frame twice; ``check`` may raise to cancel.
    """
    look = Look(size, foreground_ratio)
    check_range(start, stop, stride, count)
    if fps is not None:
        _check_rate(fps)
    source = open_source(path, stop)
    if fps is not None:
        source.set_rate(fps)
    selection = select_frames(source.times, source.end, start, stop, stride, count)
    cutter = choose_matte(source, sorted(set(selection.indices)), matte, mask, tolerance, stop)
    name = Path(path).stem.encode("utf-8", "replace").decode()
    return _build(source, selection, cutter, look, name, progress, check)


def clip_from_frames(
    images: Tensor,  # [T,H,W,3|4]
    fps: float,
    *,
    size: int = 518,
    start: int = 0,
    stop: int | None = None,
    stride: int = 1,
    count: int | None = None,
    mask: Mask | None = None,
    matte: str = "auto",
    tolerance: float = 0.08,
    foreground_ratio: float = 0.95,
    name: str = "clip",
    progress: Progress | None = None,
    check: Callable[[], None] | None = None,
) -> Clip:
    """Like :func:`load_clip`, for frames [T,H,W,3|4] float 0..1 (straight alpha) of a host."""
    look = Look(size, foreground_ratio)
    _check_rate(fps)
    if not isinstance(images, Tensor) or not images.is_floating_point():
        kind = images.dtype if isinstance(images, Tensor) else type(images).__name__
        raise InputError(f"images are {kind}, accepted is a float tensor [T,H,W,3|4] with values 0..1.")
    if images.dim() != 4 or images.shape[-1] not in (3, 4) or images.numel() == 0:
        raise InputError(f"images have shape {list(images.shape)}, accepted is [T,H,W,3] or [T,H,W,4].")
    source = TensorSource(images, fps, name)
    selection = select_frames(source.times, source.end, start, stop, stride, count)
    cutter = choose_matte(source, sorted(set(selection.indices)), matte, mask, tolerance, None)
    return _build(source, selection, cutter, look, name, progress, check)


@dataclass(frozen=True)
class Look:
    """Layout of the crop: output ``size`` in pixels and ``foreground_ratio`` (0, 1]. Raises InputError."""

    size: int
    foreground_ratio: float

    def __post_init__(self) -> None:
        if self.size < 1:
            raise InputError(f"size is {self.size}, accepted is 1 pixel or more.")
        if not 0 < self.foreground_ratio <= 1:
            raise InputError(f"foreground_ratio is {self.foreground_ratio}, accepted is above 0 up to 1.")


def _check_rate(fps: float) -> None:
    if not (isinstance(fps, (int, float)) and math.isfinite(fps) and fps > 0):
        raise InputError(f"fps is {fps!r}, accepted is a positive number of frames per second.")


def _build(
    source: Source,
    selection: Selection,
    cutter: Matte,
    look: Look,
    name: str,
    progress: Progress | None,
    check: Callable[[], None] | None,
) -> Clip:
    unique = sorted(set(selection.indices))
    require(
        CLIP_BYTES * len(selection.indices) * look.size**2,
        f"A clip of {len(selection.indices)} frames of {look.size} x {look.size} pixels",
        "lower size, or take fewer frames (count)",
    )
    square, source_size = _find_square(source, cutter, unique, look, progress, check)
    frames = torch.empty(len(selection.indices), look.size, look.size, 4)  # each is cut below
    done = len(unique)
    for index, colour, alpha in cutter.frames(source, unique):
        picture = torch.from_numpy(cut(colour, alpha, square, look.size))
        frames[[place for place, wanted in enumerate(selection.indices) if wanted == index]] = picture
        done += 1
        tick(progress, check, done, 2 * len(unique))
    if len(selection.indices) == 1:
        warn(
            f"{source.label} gives a single frame, so the sampler will make one still mesh; "
            "widen start, stop or count, or give a video, for motion.",
            StillWarning,
        )
    return Clip(frames, selection.fps, name, (square.x0, square.y0, square.side), source_size)


def _find_square(
    source: Source,
    cutter: Matte,
    indices: list[int],
    look: Look,
    progress: Progress | None,
    check: Callable[[], None] | None,
) -> tuple[Square, tuple[int, int]]:
    """First pass: the box of each frame, checked, and from their union the square of the clip."""
    boxes: dict[int, Box | None] = {}
    for done, (index, _, alpha) in enumerate(cutter.frames(source, indices), start=1):
        if cutter.mode == "mask":
            _check_not_inverted(index, alpha)
        boxes[index] = object_box(alpha)
        size = alpha.shape
        tick(progress, check, done, 2 * len(indices))
    empty = [index for index, box in boxes.items() if box is None]
    if empty:
        raise InputError(
            f"There is no object in {frame_list(empty)} of {source.label} (matte {cutter.mode!r}); "
            "choose a range without them, another matte, or give a mask (1 = object)."
        )
    touching = [index for index, box in boxes.items() if box.touches(*size)]
    if touching:
        warn(
            f"The object touches the border of the picture in {frame_list(touching)} of {source.label}, "
            "so it is probably cut off there; choose another range if its shape suffers.",
            BorderWarning,
        )
    return square_around(union(boxes.values()), look.foreground_ratio), (int(size[0]), int(size[1]))


def _check_not_inverted(index: int, alpha: np.ndarray) -> None:
    inside = alpha > 0.5
    frame = np.concatenate([inside[0], inside[-1], inside[:, 0], inside[:, -1]])
    if frame.all() or inside.mean() > FULL_SHARE:
        raise InputError(
            f"The mask of frame {index} covers the whole border or {inside.mean():.0%} of the picture, so it "
            "looks inverted; give mask with 1 for the object and 0 for the background."
        )
