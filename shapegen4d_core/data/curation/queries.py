"""Aligned query points: chosen once on frame 1 of the animated mesh, then carried by the animation (paper 3.1)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from ...geometry.sampling import farthest_point_sampling
from .edges import EdgeList, Places, even_places, sharp_places
from .rejection import Rejected
from .samples import FrameGeometry
from .settings import CurationSettings

_CANDIDATES = 8  # per point that is kept
_LEAST_OUTER = 0.05  # share of the animated surface that must lie on the outside


@dataclass(frozen=True)
class Queries:
    """The chosen places, farthest-point order each, and the share of the animated surface found to lie outside."""

    even: Places
    sharp: Places
    outer_share: float


def choose_queries(
    first: FrameGeometry, edges: EdgeList, settings: CurationSettings, rng: np.random.Generator
) -> Queries:
    """Choose on frame 1, without places farther from the closed surface than ``first.reach``: those are inside.

    Sharp places that are lacking are filled with even ones. Raises Rejected when nearly everything is inside.
    """
    wanted = settings.aligned_points + settings.aligned_sharp_points
    even = even_places(first.vertices, first.faces, max(_CANDIDATES * wanted, 2048), rng)
    points, _ = even.on(first.vertices, first.faces)
    outside = first.closed.tree.closest(points).distance < first.reach
    share = float(outside.mean())
    if share < _LEAST_OUTER or outside.sum() < wanted:
        raise Rejected("hidden surface", f"{100 * share:.0f} % of the animated surface lies on the outside")
    even, points = even[outside], points[outside]
    chosen = _farthest(points, settings.aligned_points)
    count = settings.aligned_sharp_points
    sharp = sharp_places(
        first.vertices, first.faces, edges, settings.sharp_degrees, _CANDIDATES * count, rng
    )
    where, _ = sharp.on(first.vertices, first.faces)
    kept = first.closed.tree.closest(where).distance < first.reach
    sharp, where = sharp[kept], where[kept]
    sharp = sharp[_farthest(where, min(count, len(where)))]
    if len(sharp) < count:
        others = np.setdiff1d(np.arange(len(points)), chosen)
        sharp = _joined(sharp, even[others[_farthest(points[others], count - len(sharp))]])
    return Queries(even[chosen], sharp, share)


def follow(places: Places, frame: FrameGeometry) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The places on one frame: positions [n,3], normals [n,3], and how far those look outward, [n] from -1 to 1.

    The normals are the animated mesh's, where a face has no area the closed surface's.
    """
    points, normals = places.on(frame.vertices, frame.faces)
    outer, distance = frame.outer_normals(points)
    normals = np.where((normals == 0).all(axis=1, keepdims=True), outer, normals)
    return points, normals, frame.side(normals, outer, distance)


def carried(rows: list[tuple[np.ndarray, np.ndarray, np.ndarray]]) -> np.ndarray:
    """[T,n,6]: positions and outward normals, from :func:`follow` on every frame.

    The outer side is decided once per place, by all frames together, so that a normal never flips on the way.
    """
    points, normals, side = (np.stack(part) for part in zip(*rows))
    facing = np.where(side.sum(axis=0) < 0, -1.0, 1.0)[:, None]
    return np.concatenate([points, normals * facing], axis=2)


def _farthest(points: np.ndarray, count: int) -> np.ndarray:
    if count == 0:
        return np.zeros(0, np.int64)
    return farthest_point_sampling(torch.from_numpy(np.ascontiguousarray(points))[None], count)[0].numpy()


def _joined(first: Places, second: Places) -> Places:
    return Places(
        np.concatenate([first.face, second.face]),
        np.concatenate([first.barycentric, second.barycentric]),
        np.concatenate([first.other, second.other]),
    )
