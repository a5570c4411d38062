"""Solid overlap: meshes as voxels of [-1,1]^3, tested at the voxels' centres, and intersection over union."""

from __future__ import annotations

import numpy as np

from ..geometry.winding import grid_inside

VOXELS = 128


def voxel_centres(resolution: int = VOXELS) -> np.ndarray:
    """Coordinates [R] of the centres of R voxels along [-1, 1]."""
    return (np.arange(resolution) + 0.5) * (2 / resolution) - 1


def voxelise(vertices: np.ndarray, faces: np.ndarray, resolution: int = VOXELS) -> np.ndarray:
    """Voxels bool [R,R,R] whose centre is inside the mesh [V,3], [F,3]: winding number above 1/2, so holes are fine."""
    return grid_inside(vertices, faces, voxel_centres(resolution))


def occupancy_iou(first: np.ndarray, second: np.ndarray) -> float:
    """Intersection over union of two boolean grids of one shape; 0 when exactly one is empty, NaN when both are."""
    union = np.count_nonzero(first | second)
    return float("nan") if union == 0 else np.count_nonzero(first & second) / union
