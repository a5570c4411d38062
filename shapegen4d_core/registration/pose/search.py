"""From nothing to a few poses that look right: evenly spread views, framed, ranked, and settled on the outlines."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from .framing import framed
from .judge import Judge
from .outline import outline_scores
from .poses import FREE_WITH_ROLL, FREE_WITHOUT_ROLL, distinct, sphere_directions
from .refine import least_squares, outline_equations
from .scene import Scene
from .settings import PoseSettings
from .stages import Stages

RANK_SIDE, JUDGE_SIDE = 64, 96  # pixels
_RANK_FRAMES, _SETTLE_FRAMES, _JUDGE_FRAMES = 2, 4, 8
_ROLLS = 12
_FRAMED_AT_ONCE = 256  # directions
_APART, _SAME, _RIVAL = 10.0, 6.0, 6.0  # degrees between poses followed, found to be one, and called rivals
_SETTLE_ROUNDS = (4, 6)
SETTLE_STEPS = 4


def free_numbers(settings: PoseSettings) -> tuple[int, ...]:
    """Which numbers of a pose row may move."""
    return FREE_WITH_ROLL if settings.roll else FREE_WITHOUT_ROLL


def candidate_steps(settings: PoseSettings) -> int:
    """Steps that :func:`candidates` reports."""
    return 2 + (_ROLLS if settings.roll else 1)


def candidates(scene: Scene, settings: PoseSettings, stages: Stages) -> Tensor:
    """Framed poses [N,6] around the object, those whose outlines agree best first, none close to another."""
    yaw, pitch = sphere_directions(settings.views)
    frames = scene.spread(_RANK_FRAMES)
    device = scene.pivot.device
    found = []
    for turn in range(_ROLLS if settings.roll else 1):
        angles = torch.stack([yaw, pitch, torch.full_like(yaw, turn * 2 * math.pi / _ROLLS)], 1).to(device)
        found += [framed(scene, part, scene.spread(None)) for part in angles.split(_FRAMED_AT_ONCE)]
        stages.step()
    poses = torch.cat(found)
    cost = outline_scores(scene, poses, frames, RANK_SIDE).cost
    poses = poses[cost.argsort()[: max(48, 8 * settings.rivals)]]
    stages.step()
    score = outline_scores(scene, poses, scene.spread(_SETTLE_FRAMES), RANK_SIDE)
    order = score.cost.argsort()
    stages.step()
    stages.note(tried=len(cost), best_iou=round(float(score.iou.mean(dim=1).max()), 4))
    poses = poses[order]
    return poses[distinct(poses, _APART, 3 * settings.rivals)]


def settled(scene: Scene, poses: Tensor, settings: PoseSettings, stages: Stages) -> Tensor:
    """Poses [N,6] after fitting each to the outlines at low size; those that end in one place are kept once."""
    frames, free = scene.spread(_SETTLE_FRAMES), free_numbers(settings)
    stages.note(followed=len(poses))
    for rounds, sigma in zip(_SETTLE_ROUNDS, (3.0, 1.5)):
        fit = least_squares(poses, outline_equations(scene, frames, RANK_SIDE, sigma, free), free, rounds)
        stages.step()
        poses = fit.poses[outline_scores(scene, fit.poses, frames, RANK_SIDE).cost.argsort()]
        poses = poses[distinct(poses, _SAME, settings.rivals)]
        stages.step()
    stages.note(left=len(poses))
    return poses


def ranked(scene: Scene, judge: Judge, poses: Tensor, stages: Stages) -> Tensor:
    """Poses [N,6] in the judge's order over several frames."""
    verdict = judge(poses, scene.spread(_JUDGE_FRAMES), JUDGE_SIDE)
    order = verdict.total.argsort()
    stages.note(first=verdict.row(int(order[0])), second=verdict.row(int(order[1])) if len(order) > 1 else None)
    stages.step()
    return poses[order]
