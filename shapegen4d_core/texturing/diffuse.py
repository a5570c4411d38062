"""Values spread smoothly over a surface from the texels where they are known: diffusion that knows no seams.

First a harmonic function on the welded mesh (each place the weighted mean of its neighbours), read at the texels; then
a few relaxations from texel to texel, which join it to the known texels without a step. A texel at the border of a
chart has its neighbour in the chart across the seam. N texels, W places, F faces.
"""

from __future__ import annotations

import numpy as np
from scipy.sparse import coo_array, csc_array, diags_array
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import splu

from ..geometry.distances import tree_of
from ..progress import Check, look, tick
from .surface import Surface
from .texels import Texels, texel_coordinates

_RELAXATIONS = 32
_ROWS = 1 << 20  # texels handled at once
_INWARD = 0.75  # texels from a seam at which the other side is read
_LEAST = 1e-3  # trust below which nothing counts as known
_SURROUNDED = 0.25  # share of its surroundings from which a place is known


def spread(
    surface: Surface, texels: Texels, values: np.ndarray, trust: np.ndarray, frame: int = 0, check: Check | None = None
) -> np.ndarray:
    """Values [N,C] kept where ``trust`` [N] is 1, diffused over the surface of ``frame`` where it is 0, between both
    where it lies between; zeros when nothing is known.
    """
    if not (trust > _LEAST).any():
        return np.zeros_like(values)
    known = _to_places(surface, texels, values, trust, check)
    look(check)
    at_places = _harmonic(surface, *known, frame)
    look(check)
    smooth = texels.mix(at_places[surface.place].astype(np.float32), surface.faces)
    look(check)
    start = trust[:, None] * values + (1 - trust[:, None]) * smooth
    look(check)
    neighbours = _neighbours(surface, texels, trust < 1, check)
    return _relax(start, values, trust, neighbours, np.flatnonzero(trust < 1), check)


def _to_places(
    surface: Surface, texels: Texels, values: np.ndarray, trust: np.ndarray, check: Check | None
) -> tuple[np.ndarray, np.ndarray]:
    """Mean of the known values around each place [W,C], and which share of its surroundings is known [W]."""
    known = np.flatnonzero(trust > 0)
    welded, count = surface.welded, surface.place_count
    whole = np.zeros(count)
    for start in range(0, len(texels), _ROWS):
        rows = slice(start, start + _ROWS)
        whole += np.bincount(welded[texels.face[rows]].reshape(-1), texels.weights[rows].reshape(-1), count)
        look(check)
    weight, sums = np.zeros(count), np.zeros((values.shape[1], count))
    for start in range(0, len(known), _ROWS):
        tick(None, check, start, len(known))
        rows = known[start : start + _ROWS]
        corners = welded[texels.face[rows]].reshape(-1)
        shares = (texels.weights[rows] * trust[rows, None]).reshape(-1)
        weight += np.bincount(corners, shares, count)
        for channel, total in enumerate(sums):
            total += np.bincount(corners, shares * np.repeat(values[rows, channel], 3), count)
    return sums.T / np.maximum(weight, 1e-12)[:, None], weight / np.maximum(whole, 1e-12)


def _harmonic(surface: Surface, values: np.ndarray, share: np.ndarray, frame: int) -> np.ndarray:
    """Places of which too little is known become the mean of their neighbours, nearer ones counting more: [W,C]."""
    positions = surface.places(frame).astype(np.float64)
    known = share >= min(_SURROUNDED, share.max())
    links = _links(surface.welded, positions)
    _, part = connected_components(links, directed=False)
    reached = np.zeros(part.max() + 1, bool)
    reached[part[known]] = True
    lost = ~reached[part]  # parts of the mesh with nothing known take the nearest known place
    values, fixed = values.copy(), known | lost
    if lost.any():
        values[lost] = values[known][tree_of(positions[known]).query(positions[lost])[1]]
    free = np.flatnonzero(~fixed)
    if len(free) == 0:
        return values
    laplacian = csc_array(diags_array(links.sum(axis=1)) - links)
    rows = laplacian[free]
    solver = splu(csc_array(rows[:, free]))
    values[free] = solver.solve(-(rows[:, np.flatnonzero(fixed)] @ values[fixed]))
    return values


def _links(faces: np.ndarray, positions: np.ndarray) -> csc_array:
    """Weight of each edge [W,W]: one over its length, symmetric."""
    edges = np.unique(np.sort(faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), axis=1), axis=0)
    edges = edges[edges[:, 0] != edges[:, 1]]
    length = np.linalg.norm(positions[edges[:, 0]] - positions[edges[:, 1]], axis=1)
    pull = 1 / np.maximum(length, 1e-6 * max(length.max(initial=0), 1e-12))
    both = np.concatenate([edges, edges[:, ::-1]])
    shape = (len(positions), len(positions))
    return csc_array(coo_array((np.concatenate([pull, pull]), (both[:, 0], both[:, 1])), shape=shape))


def _relax(
    current: np.ndarray,
    values: np.ndarray,
    trust: np.ndarray,
    neighbours: np.ndarray,
    free: np.ndarray,
    check: Check | None,
) -> np.ndarray:
    """Move ``free`` [M] texels of ``current`` [N,C] to the mean of ``neighbours`` [4,M], as far as they lack trust."""
    held = trust[free, None] * values[free]
    share = (1 - trust[free, None]) / 4
    for step in range(_RELAXATIONS):
        around = current[neighbours[0]]
        for column in neighbours[1:]:
            around = around + current[column]
        current[free] = held + share * around
        tick(None, check, step + 1, _RELAXATIONS)
    return current


def _neighbours(surface: Surface, texels: Texels, chosen: np.ndarray, check: Check | None) -> np.ndarray:
    """Numbers [4,M] of the texels beside those ``chosen`` [N]; across a seam where the chart ends, else their own."""
    numbers = texels.numbers()
    rows = np.flatnonzero(chosen)
    height, width = texels.pixel[rows] // texels.size, texels.pixel[rows] % texels.size
    found = np.empty((4, len(rows)), np.int32)
    for column, (down, right) in enumerate(((0, 1), (1, 0), (0, -1), (-1, 0))):
        inside = (height + down).clip(0, texels.size - 1), (width + right).clip(0, texels.size - 1)
        beside = numbers[inside]
        found[column] = np.where(beside >= 0, beside, rows)
        look(check)
    ring = np.flatnonzero(~texels.inside[rows])
    across = _across(surface, texels, rows[ring], numbers)
    has = across >= 0
    found[:, ring[has]] = across[has]
    return found


def _across(surface: Surface, texels: Texels, rows: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    """For texels of the ring: the texel just across the edge they show, -1 where no other face is."""
    face = texels.face[rows]
    weights = texels.weights[rows]
    missing = weights.argmin(axis=1)
    twin = _twins(surface.welded)[face, missing]
    corners = surface.welded[face]
    other = surface.welded[twin]  # [M,3]; rows of twin -1 are not used
    shares = np.zeros((len(rows), 3))
    for corner in range(3):
        shares += np.where(other == corners[:, corner, None], weights[:, corner, None], 0)
    complete = (twin >= 0) & (np.abs(shares.sum(axis=1) - 1) < 1e-3)
    coordinates = texel_coordinates(surface.cut.uv, texels.size)[surface.faces[twin]]  # [M,3,2]
    place = (coordinates * shares[..., None]).sum(axis=1)
    inward = coordinates.mean(axis=1) - place
    place += inward * np.minimum(1, _INWARD / np.maximum(np.linalg.norm(inward, axis=1), 1e-9))[:, None]
    column, row = np.floor(place.T).clip(0, texels.size - 1).astype(np.int64)
    return np.where(complete, numbers[row, column], -1)


def _twins(faces: np.ndarray) -> np.ndarray:
    """The face on the other side of the edge opposite each corner: int64 [F,3], -1 where there is none."""
    edges = np.sort(np.stack([faces[:, [1, 2]], faces[:, [2, 0]], faces[:, [0, 1]]], axis=1).reshape(-1, 2), axis=1)
    key = edges[:, 0] * (faces.max() + 1) + edges[:, 1]
    order = np.argsort(key, kind="stable")
    same = np.flatnonzero(key[order][1:] == key[order][:-1])
    twins = np.full(len(key), -1, np.int64)
    twins[order[same]], twins[order[same + 1]] = order[same + 1] // 3, order[same] // 3
    return twins.reshape(-1, 3)
