"""The vocabulary of procedural assets: rigid parts, posed per frame, blended into one implicit body."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

ELLIPSOID, ROUND_CONE, BOX, TORUS, CYLINDER = range(5)

# Columns of a frame's warp vector; every warp is a shear or a rotation, so its inverse is exact.
TWIST, BEND_X, BEND_Z, WAVE_AMPLITUDE, WAVE_NUMBER, WAVE_PHASE, WAVE_START, WAVE_AXIS = range(8)
WARP_SIZE = 8


@dataclass(frozen=True)
class Part:
    """One primitive in its pose: local axes are the columns of ``rotation``, lengths in object units."""

    kind: int
    size: tuple[float, float, float, float]
    rotation: np.ndarray
    position: np.ndarray
    colour: int = 0

    @property
    def scale(self) -> np.ndarray:
        """Local lengths [3] that stretch with the part, so that surface points follow growth."""
        a, b, c, _ = self.size
        if self.kind == ROUND_CONE:
            radius = max(a, b)
            return np.array([radius, c / 2 + radius, radius])
        if self.kind == TORUS:
            return np.array([a + b, b, a + b])
        if self.kind == CYLINDER:
            return np.array([a, b, a])
        return np.array([a, b, c])

    @property
    def bound(self) -> float:
        """Radius of a sphere around ``position`` that contains the part."""
        a, b, c, _ = self.size
        if self.kind == ELLIPSOID:
            return max(a, b, c)
        if self.kind == ROUND_CONE:
            return c / 2 + max(a, b)
        if self.kind == TORUS:
            return a + b
        if self.kind == CYLINDER:
            return float(np.hypot(a, b))
        return float(np.sqrt(a * a + b * b + c * c))


@dataclass
class Pose:
    """All parts of one frame, the width of their smooth blend and the warp over the whole body."""

    parts: list[Part]
    blend: float = 0.03
    warp: np.ndarray = field(default_factory=lambda: np.zeros(WARP_SIZE))


def rotation(axis: str, degrees: float) -> np.ndarray:
    """Right-handed rotation matrix [3,3] about ``axis`` ("x", "y" or "z") by an angle in degrees."""
    angle = np.radians(degrees)
    c, s = np.cos(angle), np.sin(angle)
    if axis == "x":
        return np.array([[1.0, 0, 0], [0, c, -s], [0, s, c]])
    if axis == "y":
        return np.array([[c, 0, s], [0, 1.0, 0], [-s, 0, c]])
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1.0]])


def limb(
    start: np.ndarray,
    frame: np.ndarray,
    length: float,
    radius_start: float,
    radius_end: float,
    colour: int = 0,
) -> tuple[Part, np.ndarray]:
    """A round cone from ``start`` along the local +y of ``frame``; returns it and its far end [3]."""
    end = start + frame[:, 1] * length
    part = Part(ROUND_CONE, (radius_start, radius_end, length, 0.0), frame, (start + end) / 2, colour)
    return part, end


def ellipsoid(centre, radii, frame: np.ndarray | None = None, colour: int = 0) -> Part:
    """An ellipsoid with semi-axes ``radii`` [3] along the columns of ``frame``."""
    frame = np.eye(3) if frame is None else frame
    return Part(ELLIPSOID, (*map(float, radii), 0.0), frame, np.asarray(centre, dtype=float), colour)


def box(centre, half, frame: np.ndarray | None = None, rounding: float = 0.03, colour: int = 0) -> Part:
    """A box with half sides ``half`` [3] (rounding included) along the columns of ``frame``."""
    frame = np.eye(3) if frame is None else frame
    rounding = min(rounding, 0.9 * min(half))
    return Part(BOX, (*map(float, half), float(rounding)), frame, np.asarray(centre, dtype=float), colour)


def cylinder(centre, radius: float, half_height: float, frame: np.ndarray | None = None, colour: int = 0) -> Part:
    """A slightly rounded cylinder along the local y axis."""
    frame = np.eye(3) if frame is None else frame
    size = (float(radius), float(half_height), 0.25 * min(radius, half_height), 0.0)
    return Part(CYLINDER, size, frame, np.asarray(centre, dtype=float), colour)


def torus(centre, radius: float, thickness: float, frame: np.ndarray | None = None, colour: int = 0) -> Part:
    """A torus around the local y axis."""
    frame = np.eye(3) if frame is None else frame
    return Part(TORUS, (float(radius), float(thickness), 0.0, 0.0), frame, np.asarray(centre, dtype=float), colour)
