"""Random numbers and motions that families share."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .parts import Pose

PoseAt = Callable[[float], Pose]
TURN = 2 * np.pi


def uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """One number between ``low`` and ``high``."""
    return float(rng.uniform(low, high))


def swing(rng: np.random.Generator, low: float, high: float) -> Callable[[float], float]:
    """A periodic angle in degrees: random amplitude, phase and one or two cycles per clip."""
    amplitude, phase = uniform(rng, low, high), uniform(rng, 0, TURN)
    cycles = int(rng.integers(1, 3))
    return lambda u, shift=0.0: amplitude * np.sin(TURN * (cycles * u + shift) + phase)


def ramp(rng: np.random.Generator, low: float, high: float) -> Callable[[float], float]:
    """A smooth value that goes from one end to the other, or there and back, during the clip."""
    start, end = uniform(rng, low, high), uniform(rng, low, high)
    if abs(end - start) < 0.5 * (high - low):
        start, end = (low, high) if rng.random() < 0.5 else (high, low)
    there_and_back = rng.random() < 0.5

    def value(u: float) -> float:
        s = (1 - np.cos(TURN * u)) / 2 if there_and_back else (1 - np.cos(np.pi * u)) / 2
        return start + (end - start) * s

    return value
