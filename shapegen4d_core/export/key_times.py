"""Which frame every key of an exported animation shows, and when."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from ..errors import InputError

LOOPS = ("hold", "cycle", "ping-pong")


def played_frames(frame_count: int, loop: str) -> list[int]:
    """The frame shown from each key on, N + 1 entries: key k lies at k / fps, the last one closes the animation.

    "hold": the T frames, and the last one again. "cycle": the T frames, and the first one again. "ping-pong": forth
    and back without doubled ends, N = 2 T - 2 frames from T = 2 on, and the first one again.
    """
    forth = list(range(frame_count))
    if loop == "hold":
        return [*forth, frame_count - 1]
    back = forth[-2:0:-1] if loop == "ping-pong" else []
    return [*forth, *back, 0]


def key_times(frames: Iterable[int], fps: float) -> np.ndarray:
    """Seconds [K] float32 at which the given frames start, frame / fps.

    Raises InputError when ``fps`` is so extreme that float32 cannot tell the frames apart.
    """
    with np.errstate(over="ignore"):
        seconds = (np.array(list(frames), np.float64) / fps).astype(np.float32)
    if not (np.isfinite(seconds).all() and (np.diff(seconds) > 0).all()):
        raise InputError(f"fps is {fps:g}, too extreme for the 32-bit seconds of a GLB; use a rate like 24.")
    return seconds
