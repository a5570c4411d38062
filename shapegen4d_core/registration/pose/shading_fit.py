"""Normal equations of the shading: how the brightness inside the outline changes with the pose, from one render."""

from __future__ import annotations

import torch
from torch import Tensor

from .motion_field import camera_points, screen_velocities, velocities
from .normal_equations import Equations
from .poses import turn_axes
from .refine import Drawn, Evaluate
from .scene import Level, Scene
from .shading import TERMS, Lighting, LitFrame, basis_change, brightness, fit_light, lit_frame


def shading_equations(scene: Scene, frames: list[int], longest: int, free: tuple[int, ...]) -> Evaluate:
    """Luminance minus fitted shading over ``frames``, the light projected out (it is fitted anew at every pose).

    The cost is the unexplained share of the luminance's variance, 0..1.
    """
    level = scene.level(longest)

    def evaluate(poses: Tensor, drawn: Drawn | None = None) -> Equations:
        found = drawn or {}
        lit = [lit_frame(scene, level, poses, frame, found.get((frame, level.size[0]))) for frame in frames]
        lighting = fit_light(scene, level, poses, frames, lit)
        gram = sum(_gram(level, poses, frame, part, lighting, free) for frame, part in zip(frames, lighting.frames))
        return _without_light(gram, lighting, free)

    return evaluate


def _gram(
    level: Level, poses: Tensor, frame: int, part: LitFrame, lighting: Lighting, free: tuple[int, ...]
) -> Tensor:
    """Products [N,9+K+1,9+K+1] of basis, Jacobian and residual columns, summed over the weighted pixels."""
    shown = brightness(part, lighting.light)
    residual = level.luminance[frame] - shown
    change = _change(level, poses, part, shown, lighting.light, free)
    columns = torch.cat([part.basis, -change.permute(0, 2, 3, 1), residual[..., None]], -1).flatten(1, 2)
    weighted = columns * part.weight.flatten(1)[..., None]
    return (weighted.transpose(1, 2) @ columns).double()


def _change(
    level: Level, poses: Tensor, part: LitFrame, shown: Tensor, light: Tensor, free: tuple[int, ...]
) -> Tensor:
    """Change [N,K,h,w] of the rendered brightness at fixed pixels: normals turn, and the picture moves along."""
    seen = part.raster.face_id >= 0
    points = camera_points(part.raster, level)
    screen = screen_velocities(velocities(poses, points, free), points, level, seen)
    across, down = _slopes(shown, seen)
    change = -(across[:, None] * screen[:, :, 0] + down[:, None] * screen[:, :, 1])
    axes = turn_axes(poses).to(shown)
    for position, number in enumerate(free):
        if number < 3:
            axis = axes[:, number, None, None, :].expand_as(part.normals)
            turning = torch.linalg.cross(axis, part.normals, dim=-1)
            change[:, position] += torch.einsum("nhwk,nk->nhw", basis_change(part.normals, turning), light)
    return change


def _slopes(shown: Tensor, seen: Tensor) -> tuple[Tensor, Tensor]:
    """Central differences [N,h,w] to the right and downwards, 0 where a neighbour is not drawn."""
    across, down = torch.zeros_like(shown), torch.zeros_like(shown)
    across[..., 1:-1] = (shown[..., 2:] - shown[..., :-2]) / 2 * (seen[..., 2:] & seen[..., :-2])
    down[..., 1:-1, :] = (shown[..., 2:, :] - shown[..., :-2, :]) / 2 * (seen[..., 2:, :] & seen[..., :-2, :])
    return across, down


def _without_light(gram: Tensor, lighting: Lighting, free: tuple[int, ...]) -> Equations:
    """Eliminate the light's nine columns, and scale to shares of variance per weighted pixel."""
    total = sum(part.weight.sum(dim=(1, 2)) for part in lighting.frames).double().clamp(min=1)
    scale = 1 / (total * lighting.variance.double())
    light, pose = slice(0, TERMS), slice(TERMS, TERMS + len(free))
    own = gram[:, light, light]
    own = own + torch.diag_embed(1e-6 * own.diagonal(dim1=1, dim2=2).amax(dim=1, keepdim=True).expand(-1, TERMS) + 1e-9)
    hidden = torch.linalg.solve(own, gram[:, light, TERMS:])
    reduced = gram[:, TERMS:, TERMS:] - gram[:, TERMS:, light] @ hidden
    count = pose.stop - pose.start
    reduced = reduced * scale[:, None, None]
    return Equations(lighting.error.double(), reduced[:, :count, -1], reduced[:, :count, :count])
