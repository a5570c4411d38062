"""Animation samplers: key frames to values at any times, after the three interpolation modes.

Specification: glTF 2.0, section 3.11 and appendix C. Before the first key and after the last the value is held.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import InputError

MODES = ("LINEAR", "STEP", "CUBICSPLINE")
_SLACK = 4 * np.finfo(np.float32).eps  # key times are float32: a time this close before a key counts as reaching it


@dataclass(frozen=True)
class Track:
    """Keys of one animated property: ``times`` [K] not decreasing, ``values`` [K,C], or [K,3,C] for CUBICSPLINE.

    The three rows of a spline's key are its incoming tangent, value and outgoing tangent.
    """

    times: np.ndarray
    values: np.ndarray
    mode: str
    rotation: bool = False  # quaternions: slerp along the shorter way, unit length

    def at(self, seconds: np.ndarray) -> np.ndarray:
        """Values [T,C] float64 at times [T]."""
        times = self.times.astype(np.float64)
        after = np.searchsorted(times, reached(seconds), side="right")
        before = np.clip(after - 1, 0, len(times) - 1)
        after = np.clip(after, 0, len(times) - 1)
        span = times[after] - times[before]
        share = np.divide(seconds - times[before], span, out=np.zeros(len(seconds)), where=span > 0).clip(0, 1)[:, None]
        if self.mode == "CUBICSPLINE":
            found = self._spline(before, after, span[:, None], share)
        else:
            start, end = (self.values[rows].astype(np.float64) for rows in (before, after))
            if self.mode == "STEP":
                found = start
            else:
                found = slerp(start, end, share) if self.rotation else start + (end - start) * share
        return _unit(found) if self.rotation else found

    def _spline(self, before: np.ndarray, after: np.ndarray, span: np.ndarray, share: np.ndarray) -> np.ndarray:
        values = self.values.astype(np.float64)
        start, leaving = values[before, 1], values[before, 2] * span
        end, arriving = values[after, 1], values[after, 0] * span
        square, cube = share**2, share**3
        return (
            (2 * cube - 3 * square + 1) * start
            + (cube - 2 * square + share) * leaving
            + (3 * square - 2 * cube) * end
            + (cube - square) * arriving
        )


def reached(seconds: np.ndarray) -> np.ndarray:
    """Times [T] with the slack by which a key just behind them counts as reached."""
    return seconds + _SLACK * np.abs(seconds)


def slerp(start: np.ndarray, end: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Unit quaternions [T,4] on the shorter arc from ``start`` to ``end`` [T,4], ``share`` [T,1] of the way."""
    start, end = _unit(start), _unit(end)
    cosine = (start * end).sum(axis=1, keepdims=True)
    end, cosine = np.where(cosine < 0, -end, end), np.abs(cosine).clip(0, 1)
    angle = np.arccos(cosine)
    near = angle < 1e-6  # the straight line is the arc to within rounding
    sine = np.where(near, 1.0, np.sin(angle))
    first = np.where(near, 1 - share, np.sin((1 - share) * angle) / sine)
    second = np.where(near, share, np.sin(share * angle) / sine)
    return first * start + second * end


def _unit(quaternions: np.ndarray) -> np.ndarray:
    length = np.linalg.norm(quaternions, axis=1, keepdims=True)
    if (length == 0).any():
        raise InputError("an animated rotation has length 0")
    return quaternions / length
