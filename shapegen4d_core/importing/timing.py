"""When an imported animation is looked at: T times and the frame rate that goes with them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import InputError
from ..manifest import ENTRY

FRAME_LIMIT = 10_000
_STILL_FPS = 24.0  # of a file in which nothing moves
_WHOLE = 5e-4  # a key rate this close to a whole number, relative, is that number: key times are float32


@dataclass(frozen=True)
class Timing:
    """Times [T] in seconds and frames per second."""

    seconds: np.ndarray
    fps: float


@dataclass(frozen=True)
class Written:
    """Frame rate, frames and how many of them are ``played`` (more when they go back again) in a file of ours."""

    fps: float
    frames: int
    played: int

    def agrees(self, length: float) -> bool:
        """Whether an animation of ``length`` seconds plays them."""
        return length == 0 and self.frames == 1 or math.isclose(self.played / self.fps, length, rel_tol=1e-3)


def sample_times(
    span: tuple[float, float],
    key_rate: float | None,
    written: Written | None,
    frames: int | None,
    fps: float | None,
) -> Timing:
    """Frame t lies at start + t / fps, so that the animation of length L has L x fps frames and each lasts 1 / fps.

    ``frames`` alone spreads that many over the whole length, ``fps`` alone takes as many as there are, both take what
    is asked for (the last pose is held). With neither: what our own exporter has ``written``, else the
    ``key_rate`` of the file. Raises InputError for settings out of range.
    """
    _check(frames, fps)
    start, length = span[0], span[1] - span[0]
    if frames is None and fps is None and written is not None and written.agrees(length):
        fps, frames = written.fps, written.frames
    if fps is None:
        fps = (frames / length if frames else _whole(key_rate or _STILL_FPS)) if length > 0 else _STILL_FPS
    if frames is None:
        frames = max(1, round(min(length * fps, FRAME_LIMIT + 1)))
    if frames > FRAME_LIMIT:
        raise InputError(f"it has {length:.0f} s, over {FRAME_LIMIT} frames at {fps:g} per second; set frames or fps")
    with np.errstate(over="ignore"):
        seconds = (start + np.arange(frames) / fps).astype(np.float32).astype(np.float64)
    if not np.isfinite(seconds).all():
        raise InputError(f"fps is {fps:g}, too low for the 32-bit seconds of glTF; use a rate like 24")
    return Timing(seconds, float(fps))


def written_timing(document: dict[str, Any]) -> Written | None:
    """The timing our own exporter has left in ``asset.extras``; None when there is none."""
    entry = written_entry(document)
    fps, frames = entry.get("fps"), entry.get("frames")
    numeric = isinstance(fps, (int, float)) and isinstance(frames, int) and not isinstance(fps, bool)
    if not numeric or not math.isfinite(fps) or fps <= 0 or not 1 <= frames <= FRAME_LIMIT:
        return None
    back = frames - 2 if entry.get("loop") == "ping-pong" else 0
    return Written(float(fps), int(frames), frames + max(back, 0))


def written_entry(document: dict[str, Any]) -> dict[str, Any]:
    """Our own exporter's entry in ``asset.extras``; empty in files of others."""
    extras = document["asset"].get("extras")
    entry = extras.get(ENTRY) if isinstance(extras, dict) else None
    return entry if isinstance(entry, dict) else {}


def _check(frames: int | None, fps: float | None) -> None:
    if frames is not None and (isinstance(frames, bool) or not isinstance(frames, int) or frames < 1):
        raise InputError(f"frames is {frames!r}, accepted is a whole number of at least 1")
    numeric = isinstance(fps, (int, float)) and not isinstance(fps, bool)
    if fps is not None and not (numeric and math.isfinite(fps) and fps > 0):
        raise InputError(f"fps is {fps!r}, accepted is a positive number")


def _whole(rate: float) -> float:
    return float(round(rate)) if round(rate) > 0 and abs(rate - round(rate)) < _WHOLE * rate else rate
