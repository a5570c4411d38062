"""Where the object must lie so that it fills the picture as the outline does, in closed form."""

from __future__ import annotations

import torch
from torch import Tensor

from .poses import rotations
from .scene import Scene

_POINTS = 400  # vertices per frame that stand for the shape
_ROUNDS = 6
_NEAR = 0.05  # least distance between camera and object, as a share of the object's reach


def framed(scene: Scene, angles: Tensor, frames: list[int]) -> Tensor:
    """Poses [N,6] with yaw, pitch and roll ``angles`` [N,3] whose projected box is that of the outlines.

    Boxes are unions over ``frames``; a few rounds of: project, compare the boxes' middles and sizes, move. That
    leaves 99 of 100 random cameras out that would not show the object where it is (the published sampling).
    """
    level = scene.level(256)
    points = torch.cat([_thinned(scene.coarse_shapes[frame].vertices) for frame in frames]).double() - scene.pivot
    poses = torch.cat([angles.double(), angles.new_zeros(len(angles), 3).double()], 1)
    turned = points @ rotations(poses).transpose(1, 2)  # [N,P,3]
    reach = turned.norm(dim=2).amax(dim=1)
    wanted = _box(level.outline[frames], level.intrinsics)
    wanted_middle, wanted_size = (wanted[0] + wanted[1]) / 2, wanted[1] - wanted[0]
    place = torch.zeros_like(poses[:, 3:])
    place[:, 2] = 2 * reach / wanted_size.max().clamp(max=1)
    for _ in range(_ROUNDS):
        seen = turned + place[:, None]
        screen = seen[..., :2] / seen[..., 2:].clamp(min=_NEAR * float(reach.max()))
        low, high = screen.amin(dim=1), screen.amax(dim=1)
        grow = ((high - low) / wanted_size).log().mean(dim=1).exp()
        place[:, 2] = torch.maximum(place[:, 2] * grow, (1 + _NEAR) * reach)
        place[:, :2] = place[:, :2] + (wanted_middle - (low + high) / 2) * place[:, 2:]
    poses[:, 3:5] = place[:, :2] / place[:, 2:]
    poses[:, 5] = place[:, 2].log()
    return poses


def _thinned(vertices: Tensor) -> Tensor:
    return vertices[:: max(1, len(vertices) // _POINTS)]


def _box(outlines: Tensor, intrinsics: Tensor) -> Tensor:
    """Lowest and highest corner [2,2] (x, y) of the outlines [T',h,w] on the plane at depth 1."""
    rows, columns = ((outlines > 0.5).any(dim=0).any(dim=axis).nonzero()[:, 0] for axis in (1, 0))
    if not len(rows):  # thinner than a pixel of this level
        rows, columns = ((outlines > 0).any(dim=0).any(dim=axis).nonzero()[:, 0] for axis in (1, 0))
    low = torch.stack([columns[0], rows[0]]).to(intrinsics)
    high = torch.stack([columns[-1], rows[-1]]).to(intrinsics) + 1
    focal, centre = intrinsics.diagonal()[:2], intrinsics[:2, 2]
    return torch.stack([(low - centre) / focal, (high - centre) / focal])
