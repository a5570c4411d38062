"""The last fit, to outlines and shading of all frames at growing size, and whether its result may be kept."""

from __future__ import annotations

from torch import Tensor

from .judge import Judge
from .normal_equations import Equations
from .poses import angle_between, rotations
from .refine import Drawn, Evaluate, Fit, least_squares, outline_equations
from .scene import Scene
from .search import free_numbers
from .settings import PoseSettings
from .shading_fit import shading_equations
from .stages import Stages

SHADING_WEIGHT = 0.1  # of the unexplained brightness against the outlines' squared difference
_PYRAMID = ((96, 1.5, 8), (192, 1.0, 5))  # side and blur in pixels, rounds
_SHADING_SIDE = 96
_JUDGE_SIDE = 96
_CONTENDERS, _CLOSE = 3, (1.25, 0.02)  # rivals this close to the best (factor, sum) get the first fit too
_TURN_LIMIT = 15.0  # degrees the last fit may turn the object
_TOLERANCE = 1e-3  # by which the cost may grow and the overlap shrink
FINISH_STEPS = len(_PYRAMID) + 2
_PLACE = (3, 4, 5)


def finished(scene: Scene, poses: Tensor, judge: Judge, settings: PoseSettings, stages: Stages) -> Tensor:
    """The fitted pose [6] out of ``poses`` [N,6], best first; never one that the judge finds worse than the start."""
    frames = scene.spread(None if settings.frames == "all" else settings.frames)
    every = scene.spread(None)  # frames left out of the fit still have a say in whether it is kept
    start = judge(poses, every, _JUDGE_SIDE)
    near = start.total <= _CLOSE[0] * start.total.min() + _CLOSE[1]
    poses = poses[start.total.argsort()][: min(_CONTENDERS, int(near.sum()))]
    before = judge(poses, every, _JUDGE_SIDE)
    stages.step()
    pose, rounds = _climb(scene, poses, frames, free_numbers(settings), judge, settings, stages)
    row = int(before.total.argmin())
    kept, word, after = _accepted(scene, poses[row : row + 1], before.row(row), pose, frames, judge, settings)
    stages.step()
    stages.note(contenders=len(poses), frames=len(frames), rounds=rounds, kept=word)
    stages.note(before=before.row(row), after=after)
    stages.note(start=poses[row].tolist(), turned_degrees=round(float(_turn(poses[row : row + 1], kept)), 4))
    return kept[0]


def _climb(
    scene: Scene,
    poses: Tensor,
    frames: list[int],
    free: tuple[int, ...],
    judge: Judge,
    settings: PoseSettings,
    stages: Stages | None,
) -> tuple[Tensor, int]:
    """Fit all poses at the lowest size, then the best of them further: [1,6], and the rounds it took."""
    rounds = 0
    for number, (side, sigma, most) in enumerate(_PYRAMID):
        fit = fitted(scene, poses, frames, side, sigma, free, most, settings.appearance)
        rounds += fit.rounds
        poses = fit.poses
        if number == 0 and len(poses) > 1:
            poses = poses[judge(poses, scene.spread(None), _JUDGE_SIDE).total.argmin()][None]
        if stages is not None:
            stages.step()
    return poses, rounds


def fitted(
    scene: Scene,
    poses: Tensor,
    frames: list[int],
    side: int,
    sigma: float,
    free: tuple[int, ...],
    rounds: int,
    appearance: bool,
) -> Fit:
    """Poses [N,6] after least squares on outlines at ``side`` pixels blurred by ``sigma``, and on shading."""
    evaluate = outline_equations(scene, frames, side, sigma, free)
    if appearance:
        evaluate = _sum(evaluate, shading_equations(scene, frames, min(side, _SHADING_SIDE), free))
    return least_squares(poses, evaluate, free, rounds)


def _sum(outline: Evaluate, shading: Evaluate) -> Evaluate:
    def evaluate(poses: Tensor) -> Equations:
        drawn: Drawn = {}
        return outline(poses, drawn) + shading(poses, drawn).scaled(SHADING_WEIGHT)

    return evaluate


def _accepted(
    scene: Scene,
    start: Tensor,
    before: dict[str, float],
    end: Tensor,
    frames: list[int],
    judge: Judge,
    settings: PoseSettings,
) -> tuple[Tensor, str, dict[str, float]]:
    """The pose [1,6] to keep: the fitted one, else the start moved without turning, else the start."""
    every = scene.spread(None)
    after = judge(end, every, _JUDGE_SIDE).row(0)
    if _not_worse(before, after) and float(_turn(start, end)) <= _TURN_LIMIT:
        return end, "fit", after
    moved, _ = _climb(scene, start, frames, _PLACE, judge, settings, None)
    after = judge(moved, every, _JUDGE_SIDE).row(0)
    if _not_worse(before, after):
        return moved, "place only", after
    return start, "start", before


def _not_worse(before: dict[str, float], after: dict[str, float]) -> bool:
    return after["total"] <= before["total"] + _TOLERANCE and after["iou"] >= before["iou"] - _TOLERANCE


def _turn(first: Tensor, second: Tensor) -> Tensor:
    return angle_between(rotations(first), rotations(second))[0]

