"""How every visible point moves in the picture when a pose changes: no second render is needed for a Jacobian.

The outline of a smooth body moves, along its own normal, exactly as the surface points on it do. So the change of a
mask is its edges times the picture velocity there: one render per step instead of thirteen for finite differences.
The rim is seen half a pixel inside, where the surface lies a little nearer: changes by turning are 10 to 30 % too small
at usual sizes, which slows a descent slightly and does not move its end.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ...rendering.raster import Raster
from .poses import pivots, turn_axes
from .scene import Level


def camera_points(raster: Raster, level: Level) -> Tensor:
    """Visible points [N,3,h,w] in camera space; where nothing is drawn the last axis is meaningless but finite."""
    height, width = level.size
    k = level.intrinsics.to(raster.depth)
    a = (torch.arange(width, device=raster.depth.device) + 0.5 - k[0, 2]) / k[0, 0]
    b = (torch.arange(height, device=raster.depth.device) + 0.5 - k[1, 2]) / k[1, 1]
    depth = raster.depth
    return torch.stack([depth * a[None, None], depth * b[None, :, None], depth], 1)


def velocities(poses: Tensor, points: Tensor, free: tuple[int, ...]) -> Tensor:
    """Velocity [N,K,3,h,w] of camera points [N,3,h,w] for each of the K ``free`` numbers of poses [N,6]."""
    place = pivots(poses).to(points)
    axes = turn_axes(poses).to(points)
    arms = points - place[:, :, None, None]
    moves = []
    for number in free:
        if number < 3:
            axis = axes[:, number, :, None, None].expand_as(arms)
            moves.append(torch.linalg.cross(axis, arms, dim=1))
        else:
            shift = place.clone() if number == 5 else torch.zeros_like(place)
            if number < 5:
                shift[:, number - 3] = place[:, 2]
            moves.append(shift[:, :, None, None].expand_as(arms))
    return torch.stack(moves, 1)


def screen_velocities(velocity: Tensor, points: Tensor, level: Level, seen: Tensor) -> Tensor:
    """Pixels per unit [N,K,2,h,w] (right, down) of points moving with ``velocity``; 0 where not ``seen`` [N,h,w]."""
    k = level.intrinsics.to(points)
    depth = torch.where(seen, points[:, 2], torch.ones_like(points[:, 2]))[:, None]
    across = k[0, 0] * (velocity[:, :, 0] - points[:, None, 0] * velocity[:, :, 2] / depth) / depth
    down = k[1, 1] * (velocity[:, :, 1] - points[:, None, 1] * velocity[:, :, 2] / depth) / depth
    return torch.stack([across, down], 2) * seen[:, None, None]


def mask_change(seen: Tensor, screen: Tensor) -> Tensor:
    """Change [N,K,h,w] of a mask [N,h,w] whose points move by ``screen`` [N,K,2,h,w], spread over edge pixels."""
    mask = seen.to(screen)[:, None]
    change = torch.zeros_like(screen[:, :, 0])
    # Across each edge between two pixels flows the velocity of whichever of them is covered; half goes to each.
    flow = (mask[..., 1:] - mask[..., :-1]) * (screen[:, :, 0, :, 1:] + screen[:, :, 0, :, :-1]) / -2
    change[..., 1:] += flow
    change[..., :-1] += flow
    flow = (mask[..., 1:, :] - mask[..., :-1, :]) * (screen[:, :, 1, 1:] + screen[:, :, 1, :-1]) / -2
    change[..., 1:, :] += flow
    change[..., :-1, :] += flow
    return change
