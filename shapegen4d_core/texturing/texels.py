"""Which point of the surface each texel of a texture page shows.

Page of S x S texels, row 0 on top (v = 1); the texel in row i and column j has its centre at u = (j + 0.5) / S,
v = 1 - (i + 0.5) / S. A texel outside every triangle but within RING texels of one shows the nearest point of it, so
that filtering across the border of a chart meets colours of the border itself. N texels, F faces.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from ..geometry.triangles import closest_on_edges
from ..progress import Check, look, tick

RING = 1.5  # texels around every chart that show its border
_EMPTY = np.iinfo(np.int64).max
_SAMPLES = 1 << 20  # face and texel pairs handled at once


@dataclass(frozen=True, eq=False)
class Texels:
    """The N texels of a page of side ``size`` that show surface, in reading order.

    ``pixel`` [N] int64 is row * size + column, ``face`` [N] int32, ``weights`` [N,3] float32 barycentric, ``inside``
    [N] bool tells texels whose centre lies in their triangle from those of the ring around charts.
    """

    size: int
    pixel: np.ndarray
    face: np.ndarray
    weights: np.ndarray
    inside: np.ndarray

    def __len__(self) -> int:
        return len(self.pixel)

    def mix(self, values: np.ndarray, faces: np.ndarray, rows: slice | np.ndarray = slice(None)) -> np.ndarray:
        """Values [V,C] of vertices interpolated at the texels of ``rows``: float32 [N,C]."""
        corners = faces[self.face[rows]]
        weights = self.weights[rows]
        mixed = values[corners[:, 0]] * weights[:, :1]
        mixed += values[corners[:, 1]] * weights[:, 1:2]
        mixed += values[corners[:, 2]] * weights[:, 2:]
        return mixed

    def numbers(self) -> np.ndarray:
        """The number of the texel at each place of the page, -1 where no surface is shown: int32 [S,S]."""
        page = np.full(self.size**2, -1, np.int32)
        page[self.pixel] = np.arange(len(self.pixel), dtype=np.int32)
        return page.reshape(self.size, self.size)


def texel_coordinates(uv: np.ndarray, size: int) -> np.ndarray:
    """uv [V,2] as (column, row) on the page in texels, float64 [V,2]; texel centres lie at half numbers."""
    return np.stack([uv[:, 0].astype(np.float64) * size, (1 - uv[:, 1].astype(np.float64)) * size], axis=1)


def surface_texels(faces: np.ndarray, uv: np.ndarray, size: int, check: Check | None = None) -> Texels:
    """The texels of a page of side ``size`` covered by faces [F,3] with uv [V,2], and a ring around them.

    Where triangles overlap the lowest face wins. The result does not depend on how the work is cut into chunks.
    """
    corners = texel_coordinates(uv, size)[faces]  # [F,3,2]
    keys = torch.full((size * size,), _EMPTY, dtype=torch.int64)
    first = np.ceil(corners.min(axis=1) - RING - 0.5).clip(0, size - 1).astype(np.int64)
    last = np.floor(corners.max(axis=1) + RING - 0.5).clip(0, size - 1).astype(np.int64)
    extent = (last - first + 1).clip(min=0)
    ends = np.cumsum(extent.prod(axis=1))
    start = 0
    while start < len(faces):
        limit = _SAMPLES + (ends[start - 1] if start else 0)
        stop = max(start + 1, int(np.searchsorted(ends, limit, side="right")))
        _draw(keys, corners, first, extent, np.arange(start, stop), size)
        tick(None, check, stop, len(faces))
        start = stop
    return _resolve(keys.numpy(), corners, size, check)


def _draw(
    keys: torch.Tensor, corners: np.ndarray, first: np.ndarray, extent: np.ndarray, chunk: np.ndarray, size: int
) -> None:
    """Enter the faces of ``chunk`` into ``keys``: squared distance in the upper half, face number in the lower."""
    counts = extent[chunk].prod(axis=1)
    face = np.repeat(chunk, counts)
    within = np.arange(len(face)) - np.repeat(np.cumsum(counts) - counts, counts)
    columns = extent[face, 0]
    row, column = first[face, 1] + within // columns, first[face, 0] + within % columns
    points = np.stack([column + 0.5, row + 0.5], axis=1)
    distance = _nearest(points, corners[face])[1]
    near = np.flatnonzero(distance <= RING**2)
    bits = distance[near].astype(np.float32).view(np.int32).astype(np.int64)
    key = torch.from_numpy((bits << 32) | face[near])
    keys.scatter_reduce_(0, torch.from_numpy(row[near] * size + column[near]), key, "amin")


def _resolve(keys: np.ndarray, corners: np.ndarray, size: int, check: Check | None) -> Texels:
    pixel = np.flatnonzero(keys != _EMPTY)
    face = (keys[pixel] & 0xFFFFFFFF).astype(np.int32)
    weights = np.empty((len(pixel), 3), np.float32)
    for start in range(0, len(pixel), _SAMPLES):
        part = slice(start, start + _SAMPLES)
        points = np.stack([pixel[part] % size + 0.5, pixel[part] // size + 0.5], axis=1)
        weights[part] = _nearest(points, corners[face[part]])[0]
        look(check)
    return Texels(size, pixel, face, weights, keys[pixel] >> 32 == 0)


def _nearest(points: np.ndarray, triangles: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Barycentric weights [P,3] of the nearest point of each triangle [P,3,2], and its squared distance [P]."""
    a, b, c = triangles[:, 0], triangles[:, 1], triangles[:, 2]
    area = _cross(b - a, c - a)
    solid = np.abs(area) > 1e-12
    divisor = np.where(solid, area, 1.0)
    weights = np.stack([_cross(b - points, c - points), _cross(c - points, a - points), _cross(a - points, b - points)])
    weights = (weights / divisor).T
    outside = np.flatnonzero(~(solid & (weights >= 0).all(axis=1)))
    distance = np.zeros(len(points))
    weights[outside], distance[outside] = closest_on_edges(points[outside], triangles[outside])
    return weights, distance


def _cross(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    return first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0]
