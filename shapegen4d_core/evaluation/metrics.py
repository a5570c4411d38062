"""Plain measures between fields and between point sets; lengths in half boxes."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree


def occupancy_iou(first: np.ndarray, second: np.ndarray) -> float:
    """Intersection over union of two boolean grids of one shape; 0 when exactly one is empty, 1 when both are."""
    union = np.count_nonzero(first | second)
    return 1.0 if union == 0 else np.count_nonzero(first & second) / union


def chamfer_distance(first: np.ndarray, second: np.ndarray) -> float:
    """Sum of both mean nearest distances between points [P,3] and [Q,3], not squared (3DShape2VecSet's definition).

    An empty set is a failure and counts as 2, the half diagonal order of the box.
    """
    if len(first) == 0 or len(second) == 0:
        return 2.0
    there, _ = cKDTree(second).query(first)
    back, _ = cKDTree(first).query(second)
    return float(there.mean() + back.mean())


def jitter(fields: np.ndarray) -> float:
    """Mean absolute second temporal difference of truncated fields [T,...]; needs three frames."""
    return float(np.abs(fields[2:] - 2.0 * fields[1:-1] + fields[:-2]).mean())


def mean_and_error(values: np.ndarray) -> tuple[float, float]:
    """Mean and its standard error over clips."""
    values = np.asarray(values, dtype=float)
    return float(values.mean()), float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else 0.0
