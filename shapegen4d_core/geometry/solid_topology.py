"""Parts, loops and hollows of the solid inside a closed mesh, without those too small to count.

The solid is sampled on a grid. Gaps, tunnels and bridges thinner than two radii are closed or removed first, because
extracted surfaces have handles and specks that mean nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import binary_closing, binary_opening, generate_binary_structure, label
from skimage.measure import euler_number

from .columns import column_winding


@dataclass(frozen=True)
class SolidTopology:
    """How many loose ``parts``, ``loops`` (handles, the genus of the surface) and enclosed ``hollows`` a solid has."""

    parts: int
    loops: int
    hollows: int


def inside_grid(vertices: np.ndarray, faces: np.ndarray, resolution: int, bounds: float) -> np.ndarray:
    """Which of ``resolution`` cubed cell centres of [-bounds, bounds]^3 lie inside a closed mesh, bool [R,R,R]."""
    axis = (np.arange(resolution) + 0.5) * (2 * bounds / resolution) - bounds
    return column_winding(vertices, faces, axis) > 0


def solid_topology(inside: np.ndarray) -> SolidTopology:
    """Counts for a solid bool [R,R,R]; cells that touch at a corner are one part, gaps must pass a cell's side."""
    solid = np.pad(inside, 1)
    corners = np.ones((3, 3, 3), int)
    parts = label(solid, corners)[1]
    hollows = label(~solid)[1] - 1
    loops = parts + hollows - int(euler_number(solid, connectivity=3))
    return SolidTopology(parts, loops, hollows)


def without_small(inside: np.ndarray, radius: int = 1) -> np.ndarray:
    """The solid bool [R,R,R] with gaps of less than two ``radius`` cells closed, then bridges and specks removed."""
    around = generate_binary_structure(3, 1)
    wide = np.pad(inside, radius + 1)  # so that nothing is lost at the grid's sides
    wide = binary_closing(wide, around, iterations=radius)
    wide = binary_opening(wide, around, iterations=radius)
    return wide[radius + 1 : -radius - 1, radius + 1 : -radius - 1, radius + 1 : -radius - 1]
