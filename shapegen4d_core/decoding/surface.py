"""From grid values to a closed triangle mesh, and what can be said about it.

The space outside the box counts as empty: a shape that reaches the box is capped there, at most half a cell
beyond it. Values closer to the level than ``NUDGE`` are moved to that distance, so that no vertex of the
surface falls on a vertex of the grid; this moves the surface by at most ``NUDGE`` truncations and keeps
triangles from collapsing. With that, marching cubes gives a mesh that is closed and, but for fields that are
ambiguous to the last bit in a cell, edge-manifold.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from skimage.measure import marching_cubes

from ..geometry.mesh import components, enclosed_volume, is_closed, is_edge_manifold
from .grid import GridSample

NUDGE = np.float32(1e-4)  # in units of the truncation


def extract_surface(sample: GridSample) -> tuple[np.ndarray, np.ndarray]:
    """Vertices float32 [V,3] in half boxes and faces int32 [F,3], outward, of the surface at 0.

    Both are empty when no value is at or above 0.
    """
    block, corner = _inside_block(sample)
    if block is None:
        return np.zeros((0, 3), np.float32), np.zeros((0, 3), np.int32)
    on_vertex = (block > -NUDGE) & (block < NUDGE)
    block[on_vertex] = np.where(block[on_vertex] >= 0, NUDGE, -NUDGE)
    index, faces, _, _ = marching_cubes(block, 0.0)
    grid = sample.grid
    vertices = (index.astype(np.float64) + corner) * (2 * grid.bounds / grid.resolution) - grid.bounds
    return vertices.astype(np.float32), np.ascontiguousarray(faces[:, ::-1], dtype=np.int32)


def _inside_block(sample: GridSample) -> tuple[np.ndarray | None, np.ndarray]:
    """The values around the inside with one layer of outside on every side, and its lowest vertex index."""
    inside = sample.values >= 0
    spans = []
    for others in ((1, 2), (0, 2), (0, 1)):
        hits = inside.any(dim=others[1]).any(dim=others[0]).nonzero()
        if len(hits) == 0:
            return None, np.zeros(3)
        spans.append((int(hits[0]) - 1, int(hits[-1]) + 1))
    side = sample.grid.side
    block = np.full([stop - start + 1 for start, stop in spans], -1, np.float32)
    kept = [(max(start, 0), min(stop, side - 1) + 1) for start, stop in spans]
    here = tuple(slice(low - start, high - start) for (low, high), (start, _) in zip(kept, spans))
    there = tuple(slice(low, high) for low, high in kept)
    block[here] = sample.values[there].cpu().numpy()
    return block, np.array([start for start, _ in spans], np.float64)


@dataclass(frozen=True)
class SurfaceReport:
    """Counts and soundness of one mesh; ``volume`` in half boxes cubed, positive when faces look outward."""

    vertices: int
    faces: int
    components: int
    closed: bool
    edge_manifold: bool
    volume: float


def inspect_surface(vertices: np.ndarray, faces: np.ndarray) -> SurfaceReport:
    """Report on a mesh [V,3], [F,3]; an empty one is closed and has no components."""
    return SurfaceReport(
        vertices=len(vertices),
        faces=len(faces),
        components=components(faces, len(vertices))[0],
        closed=is_closed(faces),
        edge_manifold=is_edge_manifold(faces),
        volume=enclosed_volume(vertices, faces),
    )
