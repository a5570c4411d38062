"""Solid overlap: meshes as voxels of [-1,1]^3, tested at the voxels' centres, and intersection over union."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.ndimage import uniform_filter

from ..geometry.motion import volume_drift
from ..geometry.winding import grid_inside
from .measures import MEASURES

VOXELS = 128
BLUR = 0.2  # half boxes: the ramp of a field truncated at 0.1 on both sides of the surface


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


def solid_bend(grids: Sequence[np.ndarray]) -> float:
    """Mean absolute second difference in time of three boolean grids [R,R,R] in a row, blurred over BLUR.

    Unblurred it would be the volume swept, however steadily: |a - 2b + c| of booleans is |a - b| + |b - c|. A blurred
    wall is a ramp, as a truncated field is, and where a ramp moves on steadily the difference is 0.
    """
    first, middle, last = (grid.astype(np.int8) for grid in grids)
    width = max(1, round(len(first) * BLUR / 2))
    return float(np.abs(uniform_filter((first - 2 * middle + last).astype(np.float32), width, mode="constant")).mean())


def solid_drift(predicted: np.ndarray, true: np.ndarray) -> float:
    """Drift of volumes [T] against the true ones; the worst when only the prediction has no first one."""
    lost = true[0] > 0 and predicted[0] == 0
    return MEASURES["volume_drift"].worst if lost else volume_drift(predicted, true)
