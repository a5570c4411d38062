"""Means, medians and bootstrap intervals over assets, and paired differences; failures keep their worst value."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from .measures import MEASURES
from .score_file import Row

RESAMPLES = 5000
LEVEL = 0.95


@dataclass(frozen=True)
class Summary:
    """Over ``count`` assets: mean, median, the interval of the mean, how many were ``undefined`` and left out."""

    count: int
    mean: float
    median: float
    low: float
    high: float
    undefined: int = 0


def bootstrap_interval(values: np.ndarray, seed: int = 0, resamples: int = RESAMPLES) -> tuple[float, float]:
    """Percentile interval at 95 % of the mean of ``values`` [A] when assets are drawn anew; one value is its own."""
    rng = np.random.default_rng(seed)
    values = np.asarray(values, dtype=float)
    means = values[rng.integers(0, len(values), (resamples, len(values)))].mean(axis=1)
    low, high = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def summarise(values: Iterable[float], seed: int = 0) -> Summary:
    """Summary of one value per asset; NaN marks an undefined value, which is counted and left out."""
    values = np.asarray(list(values), dtype=float)
    defined = values[~np.isnan(values)]
    if len(defined) == 0:
        return Summary(0, *[float("nan")] * 4, undefined=len(values))
    low, high = bootstrap_interval(defined, seed)
    undefined = len(values) - len(defined)
    return Summary(len(defined), float(defined.mean()), float(np.median(defined)), low, high, undefined)


def per_asset(rows: Iterable[Row], method: str, measure: str) -> dict[str, float]:
    """One value per asset: the mean over its seeds, a failed run counting as the measure's worst value."""
    found: dict[str, list[float]] = {}
    for row in rows:
        if row.method != method:
            continue
        if row.failure is not None:
            found.setdefault(row.asset, []).append(MEASURES[measure].worst)
        elif measure in row.values:
            found.setdefault(row.asset, []).append(row.values[measure])
    return {asset: float(np.mean(values)) for asset, values in found.items()}


def paired(first: Mapping[str, float], second: Mapping[str, float], seed: int = 0) -> Summary:
    """Summary of the differences first - second over the assets that both have."""
    shared = [asset for asset in first if asset in second]
    return summarise([first[asset] - second[asset] for asset in shared], seed)
