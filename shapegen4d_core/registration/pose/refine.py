"""Levenberg-Marquardt on many poses at once, each with its own damping, sharing one pose over several frames."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ...rendering.raster import Raster
from .filters import blurred
from .motion_field import camera_points, mask_change, screen_velocities, velocities
from .normal_equations import Equations, equations
from .poses import within_poles
from .scene import Scene

Evaluate = Callable[[Tensor], Equations]
Drawn = dict[tuple[int, int], Raster]  # rasters of one set of poses by frame and side, shared between terms

_LARGEST_STEP = (0.3, 0.3, 0.3, 0.1, 0.1, 0.3)  # per round: radians, tangents, logarithm of the depth
_FINER_BLUR = 0.7  # of a pixel of the clip
_SETTLED = 5e-4  # relative decrease of the cost, or step, below which a pose counts as arrived


@dataclass(frozen=True, eq=False)
class Fit:
    """``poses`` [N,6], their ``cost`` [N], and how many rounds were evaluated."""

    poses: Tensor
    cost: Tensor
    rounds: int


def least_squares(poses: Tensor, evaluate: Evaluate, free: tuple[int, ...], rounds: int) -> Fit:
    """Lower the cost of each pose [N,6] by moving its ``free`` numbers; a step that raises the cost is taken back."""
    now = evaluate(poses)
    damping = torch.full_like(now.cost, 1e-2)
    limit = poses.new_tensor(_LARGEST_STEP)[list(free)]
    patience = torch.zeros_like(now.cost)
    done = 0
    for _ in range(rounds):
        diagonal = now.hessian.diagonal(dim1=1, dim2=2)
        floor = 1e-6 * diagonal.amax(dim=1, keepdim=True) + 1e-12
        damped = now.hessian + torch.diag_embed(damping[:, None] * diagonal + floor)
        step = -torch.linalg.solve(damped, now.gradient)
        step = step / (step.abs() / limit).amax(dim=1, keepdim=True).clamp(min=1)
        trial = poses.clone()
        trial[:, list(free)] += step
        trial = within_poles(trial)
        new = evaluate(trial)
        done += 1
        better = new.cost < now.cost
        gain = (now.cost - new.cost) / now.cost.clamp(min=1e-12)
        poses = torch.where(better[:, None], trial, poses)
        now = Equations(
            torch.where(better, new.cost, now.cost),
            torch.where(better[:, None], new.gradient, now.gradient),
            torch.where(better[:, None, None], new.hessian, now.hessian),
        )
        damping = torch.where(better, damping * 0.2, damping * 5).clamp(1e-6, 1e4)
        settled = (better & (gain < _SETTLED)) | (step.abs().amax(dim=1) < _SETTLED / 50)
        patience = torch.where(settled, patience + 1, torch.where(better, torch.zeros_like(patience), patience + 0.5))
        if bool((patience >= 2).all()):
            break
    return Fit(poses, now.cost, done)


def outline_equations(
    scene: Scene, frames: list[int], longest: int, sigma: float, free: tuple[int, ...]
) -> Evaluate:
    """Differences of blurred outlines over ``frames``; the cost is 1 for a pose that misses the object altogether.

    A level larger than the clip's window samples the render more finely than the picture, which is blurred for that.
    """
    level = scene.level(longest)
    sigma = max(sigma, _FINER_BLUR * longest / scene.pictures.shape[1])
    wanted = blurred(level.outline * level.plate, sigma)
    scale = (wanted[frames] ** 2).sum().double()

    def evaluate(poses: Tensor, drawn: Drawn | None = None) -> Equations:
        total = None
        for frame in frames:
            raster = scene.raster(poses, frame, level)
            if drawn is not None:
                drawn[frame, level.size[0]] = raster
            seen = raster.face_id >= 0
            points = camera_points(raster, level)
            screen = screen_velocities(velocities(poses, points, free), points, level, seen)
            change = blurred(mask_change(seen, screen) * level.plate, sigma)
            residual = blurred((seen & level.plate).to(wanted), sigma) - wanted[frame]
            part = equations(residual.flatten(1), change.flatten(2))
            total = part if total is None else total + part
        return total.scaled(1 / scale)

    return evaluate
