"""Loose parts of the mesh that moves and of its target, matched one to one, so that parts that pass each other do not
exchange their skins.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import linear_sum_assignment

from .surface import Target, Template

SIZE_COUNTS = 0.5  # of a difference of size against the same distance: parts may grow


@dataclass(frozen=True)
class MatchedParts:
    """``vertices`` [V,3] with each part moved and scaled onto its partner, the ``target`` with its parts numbered as
    the template's, and the ``rest`` shape [V,3] at the partners' sizes, so that growth is not taken for stretching.
    """

    vertices: np.ndarray
    target: Target
    rest: np.ndarray


def match_parts(start: np.ndarray, template: Template, target: Target) -> MatchedParts | None:
    """The parts of vertices ``start`` [V,3] with their partners; None with one part, or when counts differ.

    Partners are chosen for the least sum of distances between centres and differences of size.
    """
    count = template.part_count
    if count < 2 or target.part_count != count:
        return None
    from_centre = _centres(template.samples(start), template.part, count)
    to_centre = _centres(target.points, target.part, count)
    from_size, rest_size = (_radius(template.part_areas(shape)) for shape in (start, template.rest))
    to_size = _radius(target.area * np.bincount(target.part, minlength=count) / len(target.part))
    cost = np.linalg.norm(from_centre[:, None] - to_centre[None], axis=2)
    cost += SIZE_COUNTS * np.abs(from_size[:, None] - to_size[None])
    _, partner = linear_sum_assignment(cost)
    number = np.empty(count, int)
    number[partner] = np.arange(count)
    of = template.vertex_part
    growth = (to_size[partner] / from_size)[of, None]
    moved = (start - from_centre[of]) * growth + to_centre[partner][of]
    rest = template.rest * (to_size[partner] / rest_size)[of, None]
    return MatchedParts(moved, replace(target, matched=number[target.part]), rest)


def _radius(area: np.ndarray) -> np.ndarray:
    """Radius of a ball of this area."""
    return np.sqrt(np.maximum(area, 1e-12) / (4 * np.pi))


def _centres(points: np.ndarray, part: np.ndarray, count: int) -> np.ndarray:
    """Mean [count,3] of each part's samples."""
    sums = np.stack([np.bincount(part, points[:, axis], count) for axis in range(3)], axis=1)
    return sums / np.maximum(np.bincount(part, minlength=count), 1)[:, None]
