"""Measures of change over time: jitter of fields and of tracked points, drift of the volume, strain of edges."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

STRETCHED, SHRUNK = 2.0, 0.5


def jitter(fields: np.ndarray) -> float:
    """Mean absolute second temporal difference of truncated fields [T,...]; 0 with fewer than three frames."""
    if len(fields) < 3:
        return 0.0
    return float(np.abs(fields[2:] - 2.0 * fields[1:-1] + fields[:-2]).mean())


def point_jitter(points: np.ndarray) -> float:
    """Mean length of the second temporal difference of tracked points [T,V,3], over the longest side of their box."""
    if len(points) < 3:
        return 0.0
    bend = points[2:] - 2.0 * points[1:-1] + points[:-2]
    low, high = points.min(axis=(0, 1)), points.max(axis=(0, 1))
    return float(np.linalg.norm(bend, axis=-1).mean() / max((high - low).max(), 1e-12))


def volume_drift(volumes: np.ndarray, reference: np.ndarray | None = None) -> float:
    """Mean over frames of |V_t / V_1 - R_t / R_1| for volumes [T] against the reference's (constant when None).

    A sequence that starts empty has no first volume to compare with: NaN.
    """
    volumes = np.asarray(volumes, dtype=float)
    wanted = np.ones(len(volumes)) if reference is None else np.asarray(reference, dtype=float)
    if volumes[0] <= 0 or wanted[0] <= 0:
        return float("nan")
    return float(np.abs(volumes / volumes[0] - wanted / wanted[0]).mean())


@dataclass(frozen=True)
class EdgeStrain:
    """``mean``: mean |log2| of edge length over its length in frame 1; ``abnormal``: share beyond 2 or below 1/2."""

    mean: float
    abnormal: float


def edge_strain(vertices: np.ndarray, faces: np.ndarray) -> EdgeStrain:
    """Strain of the edges of a tracked mesh [T,V,3], [F,3] against frame 1; edges without length there are left out."""
    ends = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), axis=1)
    ends = np.unique(ends, axis=0)
    lengths = np.linalg.norm(vertices[:, ends[:, 0]] - vertices[:, ends[:, 1]], axis=-1)
    kept = lengths[0] > 1e-9 * max(lengths.max(), 1e-30)
    ratio = lengths[1:, kept] / lengths[0, kept]
    if ratio.size == 0:
        return EdgeStrain(0.0, 0.0)
    strain = np.abs(np.log2(np.maximum(ratio, 2.0**-16)))
    return EdgeStrain(float(strain.mean()), float(((ratio > STRETCHED) | (ratio < SHRUNK)).mean()))
