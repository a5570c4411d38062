"""The square of a clip that holds the object in all frames, cut out and resized."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from ...sequence import Clip
from ..outlines import SEEN

LIMIT = 512  # pixels a side that are kept of a window
_ROOM = 1.3  # side of the window in sizes of the object


@dataclass(frozen=True)
class Window:
    """``left``, ``top`` and ``side`` in clip pixels; it may reach out of the clip's frames."""

    left: int
    top: int
    side: int


def window_of(clip: Clip, frames: Sequence[int]) -> Window:
    """The square around the object in all of ``frames``, with room for it to move."""
    seen = torch.zeros(clip.frames.shape[1:3], dtype=torch.bool)
    for number in frames:
        seen |= clip.frames[number, ..., 3] > SEEN
    rows, columns = (seen.any(dim=axis).nonzero()[:, 0] for axis in (1, 0))
    top, bottom, left, right = int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1
    side = math.ceil(_ROOM * max(bottom - top, right - left)) + 2
    return Window((left + right - side) // 2, (top + bottom - side) // 2, side)


def cut(clip: Clip, frames: Sequence[int], window: Window) -> Tensor:
    """The window of some frames [T',S,S,4] with colour times alpha; empty where it reaches out of the clip."""
    pictures = []
    for number in frames:
        part, side = clip.frames[number], window.side
        y, x = max(0, window.top), max(0, window.left)
        part = part[y : window.top + side, x : window.left + side]
        part = torch.cat([part[..., :3] * part[..., 3:], part[..., 3:]], -1)
        square = part.new_zeros(side, side, 4)
        y, x = y - window.top, x - window.left
        square[y : y + part.shape[0], x : x + part.shape[1]] = part
        pictures.append(resized(square[None], min(side, LIMIT))[0])
    return torch.stack(pictures)


def known(clip: Clip, window: Window) -> Tensor:
    """Where the window's pixels [S,S] lie on the plate (1); outside of it nothing is known (0)."""
    steps = torch.arange(window.side) + 0.5
    height, width = clip.frames.shape[1:3]
    across, down = (window.left + steps) / width, (window.top + steps) / height
    if clip.crop is not None and clip.source_size is not None:
        x0, y0, extent = clip.crop
        across, down = (x0 + across * extent) / clip.source_size[1], (y0 + down * extent) / clip.source_size[0]
    inside = [(share >= 0) & (share <= 1) for share in (down, across)]
    plate = (inside[0][:, None] & inside[1][None]).float()
    return resized(plate[None, ..., None], min(window.side, LIMIT))[0, ..., 0]


def resized(pictures: Tensor, size: int) -> Tensor:
    """Square pictures [T,S,S,C] at ``size`` pixels a side, each the mean over the area it covers (repeated to grow)."""
    if pictures.shape[1] == size:
        return pictures
    small = interpolate(pictures.permute(0, 3, 1, 2), size=(size, size), mode="area")
    return small.permute(0, 2, 3, 1).contiguous()
