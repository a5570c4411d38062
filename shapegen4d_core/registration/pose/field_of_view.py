"""Which lens explains the outlines best: the search is repeated briefly for several fields of view."""

from __future__ import annotations

import math

from torch import Tensor

from .finish import fitted
from .poses import LOG_DEPTH
from .scene import Scene
from .search import RANK_SIDE, free_numbers
from .settings import PoseSettings
from .stages import Stages

TRIED_DEGREES = (20.0, 27.0, 35.0, 45.0, 60.0)
_FINER = 2  # halvings of the step around the best
_FRAMES, _POSES, _SIDE = 6, 2, 160
FOV_STEPS = len(TRIED_DEGREES) + 2 * _FINER


def search_fov(
    scene: Scene, poses: Tensor, settings: PoseSettings, appearance: bool, stages: Stages
) -> tuple[Scene, Tensor]:
    """The scene through the best lens found, and the poses [N,6] fitted to it, best first.

    Tries fields of view evenly spaced in their logarithm, keeping the object's size in the picture, then halves the
    step twice around the best. What is compared is the cost of the last fit, whose squared differences of blurred
    outlines notice a lens; lines inside do not, and would favour long ones. Differences are small for flat shapes.
    """
    tried: dict[float, tuple[float, Tensor, Scene]] = {}

    def attempt(degrees: float) -> float:
        if degrees not in tried:
            lens = scene.at_fov(degrees)
            tried[degrees] = (*_fit(lens, _through(scene, lens, poses[:_POSES]), settings, appearance), lens)
            stages.step()
        return tried[degrees][0]

    best = min(TRIED_DEGREES, key=attempt)
    ratio = (TRIED_DEGREES[-1] / TRIED_DEGREES[0]) ** (1 / (len(TRIED_DEGREES) - 1))
    for _ in range(_FINER):
        ratio = math.sqrt(ratio)
        best = min((best, round(best / ratio, 3), round(best * ratio, 3)), key=attempt)
    _, found, lens = tried[best]
    stages.note(fov_degrees=best, costs={str(key): round(value[0], 5) for key, value in sorted(tried.items())})
    return lens, found


def _through(scene: Scene, lens: Scene, poses: Tensor) -> Tensor:
    """Poses whose picture keeps its place and size through another lens."""
    ratio = math.tan(math.radians(scene.fov_degrees) / 2) / math.tan(math.radians(lens.fov_degrees) / 2)
    poses = poses.clone()
    poses[:, 3:5] /= ratio
    poses[:, LOG_DEPTH] += math.log(ratio)
    return poses


def _fit(lens: Scene, poses: Tensor, settings: PoseSettings, appearance: bool) -> tuple[float, Tensor]:
    free, frames = free_numbers(settings), lens.spread(_FRAMES)
    poses = fitted(lens, poses, frames, RANK_SIDE, 1.5, free, 8, False).poses
    fit = fitted(lens, poses, frames, _SIDE, 1.2, free, 5, appearance)
    return float(fit.cost.min()), fit.poses[fit.cost.argsort()]

