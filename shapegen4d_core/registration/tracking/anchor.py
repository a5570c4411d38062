"""Which frame's mesh is carried through a segment."""

from __future__ import annotations

import numpy as np

from ...geometry.distances import cloud_distances, tree_of
from ...geometry.mesh import components
from ...geometry.surface_points import sample_surface
from ...progress import Check

POINTS = 1000
MOST_FRAMES = 24  # candidates that are compared with each other


def choose_anchor(
    frames: list[tuple[np.ndarray, np.ndarray]], first: int, stop: int, wanted: str | int, check: Check | None = None
) -> int:
    """The anchor of frames ``first`` to ``stop`` - 1: as ``wanted``, moved into the segment when it lies outside.

    "best" is the frame of fewest loops (limbs that touch can not be told apart in it) and, of those, the one with the
    least mean Chamfer distance to the others.
    """
    if wanted == "first":
        return first
    if isinstance(wanted, int):
        return min(max(wanted, first), stop - 1)
    picked = np.unique(np.linspace(first, stop - 1, min(MOST_FRAMES, stop - first)).round().astype(int))
    loops = np.array([_loops(*frames[t]) for t in picked])
    clouds = [sample_surface(*frames[t], POINTS, 0) for t in picked]
    trees = [tree_of(cloud) for cloud in clouds]
    mean = np.zeros(len(picked))
    for i, cloud in enumerate(clouds):
        for j, other in enumerate(clouds):
            mean[i] += cloud_distances(cloud, other, trees[i], trees[j]).chamfer() / len(clouds)
        if check is not None:
            check()
    return int(picked[np.lexsort([mean, loops])[0]])


def _loops(vertices: np.ndarray, faces: np.ndarray) -> int:
    """Handles of a closed mesh by its Euler characteristic; welded by index."""
    ends = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), axis=1)
    edges, used = len(np.unique(ends, axis=0)), len(np.unique(faces))
    return components(faces, len(vertices))[0] - (used - edges + len(faces)) // 2
