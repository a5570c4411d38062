"""The published search with its own counts, for comparisons: random cameras, a random swarm, gradient steps, frame 1.

Counts and distributions as in V2M4 (MIT), which the paper's appendix follows: 2000 cameras, the best 200 kept, 25 moves
of 200 particles with velocities drawn anew, 300 steps of Adam on the mask of frame 1, no acceptance test. Its score is
DreamSim plus a tenth of the mask error; here it is the given similarity, or the offline cost, plus that mask error.
Cameras are (yaw, pitch, radius, look-at x, y, z); lengths are scaled to objects of half size 1 (published: about 0.5).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from .judge import Judge
from .outline import outline_scores
from .poses import FREE_WITHOUT_ROLL, rotations, within_poles
from .refine import outline_equations
from .scene import Scene
from .settings import PoseSettings
from .stages import Stages

if TYPE_CHECKING:
    from ..point_maps import PointMaps

CAMERAS, KEPT, MOVES, GRADIENT_STEPS = 2000, 200, 25, 300
_LENGTH = 2.0  # half boxes per published unit
_SIDE = 96
_STEP = 0.01  # Adam's
_AT_ONCE = 100
PUBLISHED_LENGTHS = {"candidates": CAMERAS // _AT_ONCE, "swarm": MOVES, "refine": GRADIENT_STEPS // 10}


def published_search(
    scene: Scene, judge: Judge, point_maps: PointMaps | None, settings: PoseSettings, stages: Stages
) -> Tensor:
    """The pose [6] of frame 1 after the published steps."""
    generator = torch.Generator().manual_seed(settings.seed % 2**63)
    stages.begin("candidates")
    cameras = random_cameras(CAMERAS, generator).to(scene.pivot)
    cost = torch.cat([_step(_fitness(scene, judge, part), stages) for part in cameras.split(_AT_ONCE)])
    order = cost.argsort()[:KEPT]
    cameras, cost = cameras[order], cost[order]
    stages.note(best=round(float(cost[0]), 5))
    if point_maps is not None:
        from .from_point_maps import with_point_maps

        stages.begin("point maps")
        pool = with_point_maps(scene, _poses(cameras, scene.pivot), point_maps, judge, settings, stages)
        if len(pool) > len(cameras):
            cameras = torch.cat([_camera(pool[0], scene.pivot)[None], cameras[:-1]])
            cost = _fitness(scene, judge, cameras)
    stages.begin("swarm")
    best = _random_swarm(scene, judge, cameras, cost, generator, stages)
    stages.begin("refine")
    return _adam(scene, _poses(best[None], scene.pivot), stages)


def random_cameras(count: int, generator: torch.Generator) -> Tensor:
    """Rows (yaw, pitch, radius, look-at) [N,6] as published: directions even, radius 1..5, look-at in a cube."""
    draw = torch.rand(count, 6, generator=generator, dtype=torch.float64)
    yaw, pitch = (2 * draw[:, 0] - 1) * math.pi, (2 * draw[:, 1] - 1).asin()
    radius = _LENGTH * (24 * draw[:, 2] + 1).sqrt()
    return torch.cat([torch.stack([yaw, pitch, radius], 1), _LENGTH * (2 * draw[:, 3:] - 1)], 1)


def _poses(cameras: Tensor, pivot: Tensor) -> Tensor:
    """Pose rows [N,6] of cameras [N,6]; where the pivot is behind a camera, it is put just in front."""
    angles = torch.cat([cameras[:, :2], torch.zeros_like(cameras[:, :4])], 1)
    turn = rotations(angles)
    eye = cameras[:, 3:] - cameras[:, 2:3] * turn[:, 2]
    place = torch.einsum("nij,nj->ni", turn, pivot - eye)
    depth = place[:, 2:].clamp(min=1e-2)
    return torch.cat([angles[:, :3], place[:, :2] / depth, depth.log()], 1)


def _camera(pose: Tensor, pivot: Tensor) -> Tensor:
    """The camera row [6] of a pose that looks at the pivot's depth along its own axis."""
    turn = rotations(pose[None])[0]
    depth = pose[5].exp()
    eye = pivot - turn.T @ (torch.cat([pose[3:5], torch.ones_like(depth)[None]]) * depth)
    return torch.cat([pose[:2], depth[None], eye + depth * turn[2]])


def _fitness(scene: Scene, judge: Judge, cameras: Tensor) -> Tensor:
    """Published form [N]: what a picture comparison says, plus a tenth of the squared mask error per object pixel."""
    poses = _poses(cameras, scene.pivot)
    verdict = judge(poses, [0], _SIDE)
    seen = verdict.total if judge.similarity is None else verdict.similarity
    return (seen + 0.1 * _mask_error(scene, poses)).double()


def _mask_error(scene: Scene, poses: Tensor) -> Tensor:
    """Squared mask error per object pixel, from the overlap: |A xor B| / |B|."""
    level = scene.level(_SIDE)
    drawn = (scene.raster(poses, 0, level).face_id >= 0).to(level.outline)
    return ((drawn - level.outline[0]) ** 2).sum(dim=(1, 2)) / level.outline[0].sum().clamp(min=1)


def _random_swarm(
    scene: Scene, judge: Judge, cameras: Tensor, cost: Tensor, generator: torch.Generator, stages: Stages
) -> Tensor:
    def draw(low: float) -> Tensor:
        return (low + (1 - low) * torch.rand(cameras.shape, generator=generator, dtype=torch.float64)).to(cameras)

    own, own_cost, before = cameras, cost, float(cost.min())
    for _ in range(MOVES):
        best = own[own_cost.argmin()]
        cameras = cameras + 0.5 * draw(-1) + draw(0) * (own - cameras) + draw(0) * (best - cameras)
        now = torch.cat([_fitness(scene, judge, part) for part in cameras.split(_AT_ONCE)])
        better = now < own_cost
        own, own_cost = torch.where(better[:, None], cameras, own), torch.where(better, now, own_cost)
        stages.step()
    stages.note(before=round(before, 5), after=round(float(own_cost.min()), 5))
    return own[own_cost.argmin()]


def _adam(scene: Scene, pose: Tensor, stages: Stages) -> Tensor:
    """300 gradient steps on frame 1's outline; the last pose is kept, whatever it is worth."""
    free = list(FREE_WITHOUT_ROLL)
    evaluate = outline_equations(scene, [0], _SIDE, 0.7, FREE_WITHOUT_ROLL)
    first, second = torch.zeros_like(pose[:, free]), torch.zeros_like(pose[:, free])
    before = outline_scores(scene, pose, [0], _SIDE).iou
    for step in range(1, GRADIENT_STEPS + 1):
        gradient = evaluate(pose).gradient
        first, second = 0.9 * first + 0.1 * gradient, 0.999 * second + 0.001 * gradient**2
        move = _STEP * (first / (1 - 0.9**step)) / ((second / (1 - 0.999**step)).sqrt() + 1e-8)
        pose = pose.clone()
        pose[:, free] -= move
        pose = within_poles(pose)
        if step % 10 == 0:
            stages.step()
    after = outline_scores(scene, pose, [0], _SIDE).iou
    stages.note(iou_before=round(float(before), 5), iou_after=round(float(after), 5))
    return pose[0]


def _step(value: Tensor, stages: Stages) -> Tensor:
    stages.step()
    return value
