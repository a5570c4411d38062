"""Timing of a video stream: when each frame is shown, and from which keyframe it can be decoded."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass, replace

import av
import numpy as np

from .source import FOLDER_FPS

REORDERING = 32  # packets read past a limit, because packets are stored in decoding order
HIDDEN_FRAMES = {"vp8"}  # some packets show no picture, so packets cannot be counted


@dataclass(frozen=True)
class Timeline:
    """Frames in order of presentation: ``times`` in seconds from 0 and ``end`` of the last one.

    ``stamps`` are the presentation stamps; None when frames can only be counted while decoding from the
    start. ``keys`` are the frame numbers from which decoding can start and ``seeks`` the stamps to seek to
    for them.
    """

    times: np.ndarray
    end: float
    stamps: tuple[int, ...] | None = None
    keys: tuple[int, ...] = (0,)
    seeks: tuple[int, ...] = (0,)

    def key_before(self, index: int) -> tuple[int, int]:
        """(frame number, seek stamp) of the last keyframe at or before frame ``index``."""
        position = max(bisect_right(self.keys, index) - 1, 0)
        return self.keys[position], self.seeks[position]

    def position(self, stamp: int | None) -> int:
        """Frame number of a presentation stamp, -1 for a stamp that is not shown."""
        if self.stamps is None or stamp is None:
            return -1
        found = bisect_left(self.stamps, stamp)
        return found if found < len(self.stamps) and self.stamps[found] == stamp else -1

    def without_seeking(self) -> Timeline:
        """The same frames, decoded from the start only."""
        return replace(self, keys=(0,), seeks=(0,))


def scan_packets(
    container: av.container.InputContainer, stream: av.VideoStream, limit: int | None
) -> Timeline | None:
    """Timing from the packets alone, not decoding, up to frame ``limit``; None where packets do not tell."""
    shown: dict[int, int] = {}  # presentation stamp -> duration in ticks
    keys: set[int] = set()  # presentation stamps of keyframes
    if stream.codec_context.name in HIDDEN_FRAMES:
        return None
    for packet in container.demux(stream):
        if packet.size == 0:
            continue
        if packet.pts is None or packet.pts in shown:
            return None
        if packet.is_keyframe:
            keys.add(packet.pts)
        if not packet.is_discard:  # discarded packets lie outside the edit list but may carry the keyframe
            shown[packet.pts] = packet.duration or 0
        if limit is not None and len(shown) > limit + REORDERING:
            break
    stamps = sorted(stamp for stamp in shown if keys and stamp >= min(keys))
    if not stamps:
        return None
    return _from_stamps(stamps[: None if limit is None else limit + 1], shown, keys, stream)


def _from_stamps(
    stamps: list[int], durations: dict[int, int], keys: set[int], stream: av.VideoStream
) -> Timeline:
    times = (np.array(stamps) - stamps[0]) * float(stream.time_base)
    length = durations[stamps[-1]] * float(stream.time_base) or typical_length(times, stream)
    starts = {bisect_left(stamps, key): key for key in sorted(keys) if key <= stamps[-1]}
    return Timeline(times, float(times[-1] + length), tuple(stamps), tuple(starts), tuple(starts.values()))


def typical_length(times: np.ndarray, stream: av.VideoStream) -> float:
    """Length of a frame in seconds when the file does not say: the mean so far, else the nominal rate."""
    if len(times) > 1 and times[-1] > times[0]:
        return float((times[-1] - times[0]) / (len(times) - 1))
    return 1.0 / float(stream.average_rate or FOLDER_FPS)
