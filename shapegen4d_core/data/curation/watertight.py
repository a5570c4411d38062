"""A closed surface around any triangles: what can be reached from outside, and nothing else.

The solid is the morphological closing of the mesh as seen from outside, on a grid of R cells:

1. exact distance to the triangles at all grid vertices near them;
2. vertices at least ``SEAL`` cells away that connect to the border are outside; holes and gaps narrower than twice
   ``SEAL`` are shut by that, and inner walls and cavities are never reached;
3. the surface ``SEAL`` cells in front of the mesh is extracted, and the field is the depth below it less ``SEAL``.
   So solid parts keep their true surface (Dora and Hunyuan3D keep the inflated one), and thin sheets vanish;
4. places of the mesh that no ball of ``THIN`` cells inside the solid touches are sheets: they come back with a
   thickness of ``2 * SHEET`` cells, which is artificial and therefore reported;
5. marching cubes at 0; pieces smaller than ``CRUMB`` cells are dropped, every other component is kept: characters
   are made of many parts.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from scipy import ndimage
from scipy.spatial import cKDTree

from ...decoding.grid import Grid, GridSample
from ...decoding.surface import extract_surface
from ...geometry.closest_point import MeshTree
from ...geometry.mesh import area_vectors, components, drop_unused_vertices, face_volumes
from .band import near_triangles, touched

SEAL = 1.0
THIN = 0.55
SHEET = 1.0
CRUMB = 27.0
_REACH = 3.0  # cells up to which distances to the mesh are computed
_SAMPLES = 8.0  # samples per cell face of the mesh that ask whether it is thin there
_PATCH = 24  # thin samples within two cells that make a sheet; flat sheets have about 100


@dataclass(frozen=True)
class ClosedSurface:
    """An outward closed mesh [V,3], [F,3] with ``sheet_share``, the part of the input's area found thin.

    ``thickness`` is that of the sheets, in the unit of the vertices, or None when there were none.
    """

    vertices: np.ndarray
    faces: np.ndarray
    sheet_share: float
    thickness: float | None


def close_surface(vertices: np.ndarray, faces: np.ndarray, grid: Grid, seed: int = 0) -> ClosedSurface:
    """The closed surface of a mesh [V,3], [F,3] inside the grid's box with at least two cells to spare.

    Empty when the mesh is. ``seed`` places the samples that look for sheets.
    """
    cell = grid.cell
    scaled = (np.asarray(vertices, np.float64) + grid.bounds) / cell  # grid vertex (i,j,k) lies at (i,j,k)
    kept = faces[np.linalg.norm(area_vectors(scaled, faces), axis=1) > 1e-9]
    if len(kept) == 0:
        return ClosedSurface(np.zeros((0, 3), np.float32), np.zeros((0, 3), np.int32), 0.0, None)
    block, corner = _block(scaled[kept], grid.side)
    scaled = scaled - corner
    distance = _distances(scaled, kept, block)
    field = _closing(distance, _outside(distance))
    samples = _spread(scaled, kept, seed)
    thin = _patches(samples[~touched(field, samples, THIN)])
    if len(thin):
        field = np.maximum(field, _sheets(distance, thin))
    found, triangles = _zero_surface(field, cell)
    found, triangles = _without_crumbs((found + corner * cell - grid.bounds).astype(np.float32), triangles, cell)
    share = len(thin) / len(samples)
    return ClosedSurface(found, triangles, share, 2 * SHEET * cell if len(thin) else None)


def _block(corners: np.ndarray, side: int) -> tuple[tuple[int, int, int], np.ndarray]:
    """Shape and lowest vertex [3] of the part of the grid around the mesh that is worked on."""
    room = math.ceil(_REACH) + 1
    low = np.maximum(np.floor(corners.min(axis=(0, 1))) - room, 0).astype(int)
    high = np.minimum(np.ceil(corners.max(axis=(0, 1))) + room, side - 1).astype(int)
    return tuple(int(size) for size in high - low + 1), low


def _distances(scaled: np.ndarray, faces: np.ndarray, block: tuple[int, int, int]) -> np.ndarray:
    """Distance in cells [block] to the mesh where it is below ``_REACH``, else ``_REACH``."""
    distance = np.full(block, _REACH, np.float32)
    where = near_triangles(scaled[faces], block, _REACH)
    distance[where] = MeshTree(scaled, faces).closest(np.argwhere(where), _REACH).distance
    return distance


def _outside(distance: np.ndarray) -> np.ndarray:
    """Vertices [block] that can be reached from the border without coming closer than ``SEAL`` cells."""
    labels, count = ndimage.label(distance >= SEAL)
    reached = np.zeros(count + 1, bool)
    for axis in range(3):
        for end in (0, -1):
            reached[np.unique(labels.take(end, axis=axis))] = True
    reached[0] = False
    return reached[labels]


def _closing(distance: np.ndarray, outside: np.ndarray) -> np.ndarray:
    """Signed distance in cells [block] to the closing near its surface, positive inside."""
    inflated = np.where(outside | (distance < SEAL), SEAL - distance, SEAL)
    vertices, faces = _zero_surface(inflated, 1.0)
    below = ~outside & (distance < _REACH)
    depth = np.where(outside, -distance, np.float32(_REACH))
    depth[below] = MeshTree(vertices, faces).closest(np.argwhere(below), SEAL + _REACH).distance - SEAL
    return depth


def _zero_surface(field: np.ndarray, cell: float) -> tuple[np.ndarray, np.ndarray]:
    """The outward surface at 0 of a field [block]: vertices float64 [V,3] from its first vertex, faces [F,3]."""
    side = max(field.shape)
    grid = Grid(side - 1, (side - 1) / 2)  # cells of side 1
    values = np.full((side,) * 3, -1, np.float32)
    values[tuple(slice(size) for size in field.shape)] = field
    vertices, faces = extract_surface(GridSample(grid, torch.from_numpy(values), 0))
    return (vertices.astype(np.float64) + grid.bounds) * cell, faces


def _spread(scaled: np.ndarray, faces: np.ndarray, seed: int) -> np.ndarray:
    """Samples [n,3] of the mesh, evenly by area."""
    corners = scaled[faces]
    areas = np.linalg.norm(area_vectors(scaled, faces), axis=1)
    rng = np.random.default_rng([seed, 11])
    ends = np.cumsum(areas * _SAMPLES)
    count = max(int(ends[-1]), 1)
    face = np.searchsorted(ends, (np.arange(count) + rng.random(count)) * (ends[-1] / count)).clip(max=len(faces) - 1)
    u, v = rng.random((2, count, 1))
    folded = u + v > 1
    u, v = np.where(folded, 1 - u, u), np.where(folded, 1 - v, v)
    return corners[face, 0] * (1 - u - v) + corners[face, 1] * u + corners[face, 2] * v


def _patches(thin: np.ndarray) -> np.ndarray:
    """The samples [n,3] that are part of a patch or a wire; a few at the corner of a box are not."""
    if len(thin) < _PATCH:
        return thin[:0]
    reach, _ = cKDTree(thin).query(thin, k=[_PATCH])
    return thin[reach[:, 0] < 2.0]


def _sheets(distance: np.ndarray, thin: np.ndarray) -> np.ndarray:
    """Field [block] of the sheets: positive within ``SHEET`` cells of thin places, elsewhere very negative."""
    field = np.full(distance.shape, -_REACH, np.float32)
    where = distance < SHEET + 1.5
    gap, _ = cKDTree(thin).query(np.argwhere(where), distance_upper_bound=SHEET + 2.0)
    exact = distance[where]
    field[where] = SHEET - np.where(gap <= exact + 0.5, exact, np.minimum(gap, _REACH + SHEET))
    return field


def _without_crumbs(vertices: np.ndarray, faces: np.ndarray, cell: float) -> tuple[np.ndarray, np.ndarray]:
    count, of_face = components(faces, len(vertices))
    volume = np.bincount(of_face, face_volumes(vertices, faces), minlength=count) / cell**3
    if count < 2 or volume.min() >= CRUMB:
        return vertices, faces
    return drop_unused_vertices(vertices, faces[(volume >= CRUMB)[of_face]])
