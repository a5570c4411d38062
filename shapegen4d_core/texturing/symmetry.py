"""The mirror plane of a moving surface, and which point of it each texel mirrors.

A walking creature is symmetric in no frame, but one frame is often the mirror image of another half a cycle later.
The topology is the same in both, so which point mirrors which holds for all frames. N texels, V vertices, P points.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import minimize

from ..geometry.distances import tree_of
from ..geometry.surface_points import sample_surface
from ..progress import Check, tick
from .nearest_surface import Nearest, NearestSurface
from .surface import Surface

_FRAMES = 24  # frames compared with each other
_POINTS = 300  # points per comparison
_CERTAIN = 0.25  # distance, in units of the largest accepted, below which x = 0 has no rivals
_MUCH_BETTER = 0.5  # share of its distance that a rival must stay under
_DIRECTIONS = 160  # planes tried, 11 degrees apart
_DISTINCT, _KEPT, _FITTED = 0.95, 8, 3  # the best that differ are looked at more closely, the best of those fitted
_LESS = 0.9  # how much better another pair of frames has to be than one found before
_TILT, _SHIFT, _TRIES = 0.15, 0.02, 60  # first steps (radians, half boxes) and evaluations of a fit
_FACING = 0.3  # cosine between mirrored normal and normal from which two points can be partners


@dataclass(frozen=True, eq=False)
class Mirror:
    """Plane ``normal`` @ x = ``offset``; the mirror image of frame ``source`` is frame ``target``.

    ``distance`` is the root mean square distance of the image from that frame, in the surface's own units.
    """

    normal: np.ndarray
    offset: float
    source: int
    target: int
    distance: float

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """Mirror image of points [P,3]."""
        return points - 2 * (points @ self.normal - self.offset)[:, None] * self.normal

    def turned(self, directions: np.ndarray) -> np.ndarray:
        """Mirror image of directions [P,3]."""
        return directions - 2 * (directions @ self.normal)[:, None] * self.normal


def find_mirror(surface: Surface, tolerance: float, check: Check | None = None) -> Mirror | None:
    """The plane x = 0 if the surface is symmetric about it, unless another plane is much better.

    None when no plane mirrors the surface within ``tolerance`` half boxes. Every frame is compared with itself and
    with the first, and the same frame comes first among equals.
    """
    frames = np.unique(np.linspace(0, len(surface.original) - 1, _FRAMES).round().astype(int))
    poses = []
    for frame in frames:
        tick(None, check, len(poses), len(frames))
        poses.append(_Pose(surface, int(frame)))
    unit = surface.half_box
    found = _best(poses, np.array([1.0, 0.0, 0.0]), 0.0, check)
    if found.distance <= _CERTAIN * tolerance * unit:
        return found
    rough = [_best(poses, normal, offset, check) for normal, offset in _candidates(poses, check)]
    rough = sorted(rough, key=lambda mirror: mirror.distance)[:_FITTED]
    rivals = [_fitted(poses, mirror, _SHIFT * unit, check) for mirror in rough]
    best = min(rivals, key=lambda mirror: mirror.distance)
    if found.distance * _MUCH_BETTER <= best.distance:
        best = found
    return best if best.distance <= tolerance * unit else None


def partners(surface: Surface, points: np.ndarray, normals: np.ndarray, mirror: Mirror, check: Check | None) -> Nearest:
    """The mirror points of ``points`` [P,3] with ``normals`` [P,3] that lie on the surface in the source frame."""
    target = NearestSurface(surface.places(mirror.target), surface.welded)
    return target.query(mirror(points.astype(np.float64)), mirror.turned(normals.astype(np.float64)), check)


def are_partners(found: Nearest, tolerance: float) -> np.ndarray:
    """Which [P] of the points found are near enough (twice ``tolerance``), and face the right way, to be mirror images.
    """
    return (found.distance <= 2 * tolerance) & (found.cosine >= _FACING)


class _Pose:
    def __init__(self, surface: Surface, frame: int) -> None:
        self.frame = frame
        vertices = surface.places(frame)
        self.points = sample_surface(vertices, surface.welded, _POINTS, seed=0)
        self.surface = NearestSurface(vertices, surface.welded)


def _best(poses: list[_Pose], normal: np.ndarray, offset: float, check: Check | None) -> Mirror:
    """The pair of frames that mirror each other best in one plane: a frame and itself, or the first and another."""
    best, least = None, np.inf
    for source, target in [*((pose, pose) for pose in poses), *((poses[0], pose) for pose in poses[1:])]:
        if check is not None:
            check()
        distance = _distance(Mirror(normal, offset, source.frame, target.frame, 0.0), source, target)
        if distance < _LESS * least:
            best, least = Mirror(normal, offset, source.frame, target.frame, distance), distance
    return best


def _distance(plane: Mirror, source: _Pose, target: _Pose) -> float:
    """Root mean square distance of the mirror image of one frame from another: a nose on one side only counts."""
    return float(np.sqrt((target.surface.query(plane(source.points)).distance ** 2).mean()))


def _candidates(poses: list[_Pose], check: Check | None) -> list[tuple[np.ndarray, float]]:
    """The few planes through the centre in which the points of all frames together mirror themselves best.

    Together they are symmetric even when the motion is so only half a cycle later.
    """
    points = np.concatenate([pose.points for pose in poses])
    centre = points.mean(axis=0)
    tree = tree_of(points)
    scored = []
    for number, normal in enumerate(_half_sphere(_DIRECTIONS)):
        tick(None, check, number, _DIRECTIONS)
        offset = float(normal @ centre)
        image = Mirror(normal, offset, 0, 0, 0.0)(points[:: len(poses)])
        scored.append((float(tree.query(image)[0].mean()), number, normal, offset))
    chosen: list[tuple[np.ndarray, float]] = []
    for _, _, normal, offset in sorted(scored, key=lambda entry: entry[:2]):
        if all(abs(normal @ other) < _DISTINCT for other, _ in chosen):
            chosen.append((normal, offset))
    return chosen[:_KEPT]


def _half_sphere(count: int) -> np.ndarray:
    """Unit directions [count,3] spread evenly over half a sphere (a Fibonacci lattice)."""
    height = (np.arange(count) + 0.5) / count
    turn = np.arange(count) * np.pi * (1 + 5**0.5)
    flat = np.sqrt(1 - height**2)
    return np.stack([height, flat * np.cos(turn), flat * np.sin(turn)], axis=1)


def _fitted(poses: list[_Pose], best: Mirror, shift: float, check: Check | None) -> Mirror:
    """The plane tilted and shifted until the best pair of frames mirrors best."""
    of_frame = {pose.frame: pose for pose in poses}
    normal, offset = best.normal, best.offset
    source, target = of_frame[best.source], of_frame[best.target]
    axes = np.linalg.svd(normal[None])[2][1:]  # [2,3] along the plane
    centre = source.points.mean(axis=0)

    def plane(change: np.ndarray) -> Mirror:
        tilted = normal + change[:2] @ axes
        tilted = tilted / np.linalg.norm(tilted)
        return Mirror(tilted, offset + float((tilted - normal) @ centre) + change[2], source.frame, target.frame, 0.0)

    def cost(change: np.ndarray) -> float:
        if check is not None:
            check()
        return _distance(plane(change), source, target)

    corners = np.vstack([np.zeros(3), np.diag([_TILT, _TILT, shift])])
    found = minimize(cost, corners[0], method="Nelder-Mead", options={"initial_simplex": corners, "maxfev": _TRIES})
    return replace(plane(found.x), distance=float(found.fun))
