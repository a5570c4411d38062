"""Key frame times of an exported animation."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from ..errors import InputError


def key_times(frames: Iterable[int], fps: float) -> np.ndarray:
    """Seconds [K] float32 at which the given frames start, frame / fps.

    Raises InputError when ``fps`` is so extreme that float32 cannot tell the frames apart.
    """
    with np.errstate(over="ignore"):
        seconds = (np.array(list(frames), np.float64) / fps).astype(np.float32)
    if not (np.isfinite(seconds).all() and (np.diff(seconds) > 0).all()):
        raise InputError(f"fps is {fps:g}, too extreme for the 32-bit seconds of a GLB; use a rate like 24.")
    return seconds
