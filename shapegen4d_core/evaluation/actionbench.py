"""ActionBench's three distances, for predictions as meshes and truths as tracked points.

CD-3D aligns every frame on its own, CD-4D aligns frame 1 and keeps that, CD-M follows points matched in frame 1.
Distances are sums of both directions, not squared, of ``queries`` random points of each cloud against all of the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from ..geometry.distances import FAILED_CHAMFER, tree_of
from ..progress import Check, Progress, tick
from .gradient_icp import GradientSettings, gradient_icp


@dataclass(frozen=True)
class ActionBenchSettings:
    """Point counts and seeds as published; ``gradient`` as in :class:`GradientSettings`.

    ``per_frame``: also CD-3D, whose alignment of every frame takes most of the time. ``align`` false takes positions as
    they are.
    """

    points: int = 100_000
    queries: int = 10_000
    seed: int = 44
    per_frame: bool = True
    align: bool = True
    gradient: GradientSettings = field(default_factory=GradientSettings)


def action_bench(
    prediction: Sequence[np.ndarray],
    truth: Sequence[np.ndarray],
    tracked: bool,
    settings: ActionBenchSettings | None = None,
    progress: Progress | None = None,
    check: Check | None = None,
) -> dict[str, float]:
    """``cd_3d``, ``cd_4d`` and ``cd_m`` of clouds [P,3] per frame, in the truth's units.

    The points of both must be in random order. ``tracked``: row p is one material point in all frames, of both;
    without it cd_m is NaN. A frame without points counts as FAILED_CHAMFER.
    """
    settings = settings or ActionBenchSettings()
    count = len(truth)
    first = _align(prediction[0], truth[0], settings)
    moved = [first(frame) if len(frame) else frame for frame in prediction]
    four, three = [], []
    for frame in range(count):
        four.append(subset_chamfer(moved[frame], truth[frame], settings))
        if settings.per_frame:
            alone = _align(prediction[frame], truth[frame], settings) if frame else first
            cloud = alone(prediction[frame]) if len(prediction[frame]) else prediction[frame]
            three.append(subset_chamfer(cloud, truth[frame], settings))
        tick(progress, check, frame + 1, count)
    motion = motion_distance(np.stack(moved), np.stack(list(truth)), settings) if tracked else float("nan")
    result = {"cd_4d": float(np.mean(four)), "cd_m": motion}
    return ({"cd_3d": float(np.mean(three))} if three else {}) | result


def _align(moving: np.ndarray, fixed: np.ndarray, settings: ActionBenchSettings):
    if not settings.align or len(moving) == 0 or len(fixed) == 0:
        return lambda points: points
    rng = np.random.default_rng(settings.seed)
    size = settings.gradient.points
    order = [rng.permutation(len(cloud))[:size] for cloud in (moving, fixed)]
    return gradient_icp(moving[order[0]], fixed[order[1]], settings.gradient)


def _queries(size: int, settings: ActionBenchSettings, side: int) -> np.ndarray:
    return np.random.default_rng(settings.seed + side).permutation(size)[: settings.queries]


def subset_chamfer(prediction: np.ndarray, truth: np.ndarray, settings: ActionBenchSettings) -> float:
    """Mean distance of random points of each cloud to the whole other cloud, both directions added."""
    if len(prediction) == 0 or len(truth) == 0:
        return FAILED_CHAMFER
    there, _ = tree_of(truth).query(prediction[_queries(len(prediction), settings, 0)])
    back, _ = tree_of(prediction).query(truth[_queries(len(truth), settings, 1)])
    return float(there.mean() + back.mean())


def motion_distance(prediction: np.ndarray, truth: np.ndarray, settings: ActionBenchSettings) -> float:
    """CD-M of tracked points [T,P,3] and [T,Q,3]: pairs nearest in frame 1, their mean distance over all frames.

    Without points on one side FAILED_CHAMFER.
    """
    if prediction.shape[1] == 0 or truth.shape[1] == 0:
        return FAILED_CHAMFER
    total = 0.0
    for side, (asked, answered) in enumerate(((prediction, truth), (truth, prediction))):
        rows = _queries(asked.shape[1], settings, side)
        _, partner = tree_of(answered[0]).query(asked[0, rows])
        total += float(np.linalg.norm(asked[:, rows] - answered[:, partner], axis=-1).mean())
    return total
