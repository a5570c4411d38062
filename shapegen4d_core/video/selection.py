"""Which frames of a source are wanted, and the frame rate they keep together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import InputError


@dataclass(frozen=True)
class Selection:
    """Frame numbers of the source in order (a number may repeat), and their mean rate in frames/second."""

    indices: tuple[int, ...]
    fps: float


def select_frames(
    times: np.ndarray,  # [n] start of each frame in seconds, increasing
    end: float,  # end of the last frame in seconds
    start: int = 0,
    stop: int | None = None,
    stride: int = 1,
    count: int | None = None,
) -> Selection:
    """Choose frames ``start`` <= i < ``stop``, every ``stride``-th, and of those ``count`` by time.

    ``count`` picks the frames whose start is nearest to equally spaced times: the range is cut into
    ``count`` equal spans and each span is shown by the frame nearest to its beginning, so a loop stays a
    loop. Where one frame is held for long it is picked again. The rate is the number of frames over the
    time they stand for, so frames / fps is the duration of the range. Raises InputError when the settings
    do not fit the source.
    """
    total = len(times)
    check_range(start, stop, stride, count)
    if start >= total:
        raise InputError(f"start is {start}, but there are {total} frames; set start below {total}.")
    stop = total if stop is None else stop
    if stop > total:
        raise InputError(f"stop is {stop}, but there are {total} frames; set stop to at most {total}.")
    candidates = np.arange(start, stop, stride)
    if count is not None and count > len(candidates):
        raise InputError(
            f"count asks for {count} frames, but start, stop and stride leave {len(candidates)}; "
            "lower count or widen the range."
        )
    first = float(times[start])
    duration = _coverage(np.append(times, end), start, stop, int(candidates[-1]) + stride) - first
    if not duration > 0:
        raise InputError("The timestamps of these frames do not advance; set fps to a constant rate.")
    if count is not None:
        targets = first + np.arange(count) * (duration / count)
        candidates = candidates[_nearest(times[candidates], targets)]
    return Selection(tuple(int(index) for index in candidates), len(candidates) / duration)


def check_range(start: int, stop: int | None, stride: int, count: int | None) -> None:
    """Check the range settings by themselves; raises InputError naming the wrong one."""
    if start < 0:
        raise InputError(f"start is {start}, accepted is 0 or more.")
    if stop is not None and stop <= start:
        raise InputError(f"stop is {stop}, accepted is more than start ({start}); stop itself is left out.")
    if stride < 1:
        raise InputError(f"stride is {stride}, accepted is 1 or more.")
    if count is not None and count < 1:
        raise InputError(f"count is {count}, accepted is 1 or more.")


def _coverage(edges: np.ndarray, start: int, stop: int, following: int) -> float:
    """Time at which the frame after the last chosen one would start; past ``stop`` by the mean frame time."""
    if following <= stop:
        return float(edges[following])
    mean = (edges[stop] - edges[start]) / (stop - start)
    return float(edges[stop] + (following - stop) * mean)


def _nearest(times: np.ndarray, targets: np.ndarray) -> np.ndarray:
    right = np.clip(np.searchsorted(times, targets), 1, max(len(times) - 1, 1))
    left = right - 1
    right = np.minimum(right, len(times) - 1)
    return np.where(times[right] - targets < targets - times[left], right, left)
