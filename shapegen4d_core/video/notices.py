"""Warnings about clips that can be used but may disappoint, and how frames are named in messages."""

from __future__ import annotations

import warnings
from collections.abc import Iterable


class ClipWarning(UserWarning):
    """The clip can be used, but something about it deserves attention."""


class BorderWarning(ClipWarning):
    """The object touches the border of the picture in some frames, so part of it is probably cut off."""


class StillWarning(ClipWarning):
    """The clip has a single frame, so the result will be one still mesh."""


def frame_list(indices: Iterable[int]) -> str:
    """Frame numbers as text for a message: [3] -> ``frame 3``, [1, 2, 3, 7] -> ``frames 1-3, 7``."""
    numbers = sorted(set(indices))
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    text = ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in runs)
    return f"frame {text}" if len(numbers) == 1 else f"frames {text}"


def warn(message: str, category: type[ClipWarning]) -> None:
    """Issue one warning in one sentence."""
    warnings.warn(message, category, stacklevel=2)
