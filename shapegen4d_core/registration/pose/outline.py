"""How well the outline of a rendered pose agrees with the outline in the picture.

N poses, T' frames that take part (``frames`` chooses some), h x w pixels of a level.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from scipy.ndimage import distance_transform_edt
from torch import Tensor

from .scene import Level, Scene

_PIXELS_AT_ONCE = 1 << 22  # of all views in memory
DISTANCE_WEIGHT = 2.0  # of the mean distance by which outlines miss each other, in object sizes


@dataclass(frozen=True, eq=False)
class OutlineScore:
    """``iou`` [N,M] of each pose in each frame, and ``cost`` [N]: 1 - IoU plus the distance term, mean over frames."""

    iou: Tensor
    cost: Tensor


def outline_scores(scene: Scene, poses: Tensor, frames: list[int], longest: int) -> OutlineScore:
    """Compare poses [N,6] with the outlines of ``frames`` at a picture side of ``longest`` pixels.

    The distance term weighs every pixel that only one of both covers with its distance to the picture's outline, so
    that missing limbs cost more than a seam; in units of the square root of the object's area.
    """
    level = scene.level(longest)
    parts = poses.split(max(1, _PIXELS_AT_ONCE // (level.size[0] * level.size[1])))
    columns = zip(*(_scores(scene, part, frames, level) for part in parts))
    return OutlineScore(*(torch.cat(column) for column in columns))


def _scores(scene: Scene, poses: Tensor, frames: list[int], level: Level) -> tuple[Tensor, Tensor]:
    iou, missed = [], []
    for frame in frames:
        drawn = ((scene.raster(poses, frame, level).face_id >= 0) & level.plate).float()
        wanted = level.outline[frame] * level.plate
        both, either = drawn.minimum(wanted).sum(dim=(1, 2)), drawn.maximum(wanted).sum(dim=(1, 2))
        iou.append(both / either.clamp(min=1e-6))
        area = wanted.sum().clamp(min=1.0)
        far = _distance(level, frame)
        missed.append(((drawn - wanted).abs() * far).sum(dim=(1, 2)) / area**1.5)
    iou, missed = torch.stack(iou, 1), torch.stack(missed, 1)
    return iou, (1 - iou + DISTANCE_WEIGHT * missed).mean(dim=1)


def _distance(level: Level, frame: int) -> Tensor:
    """Distance [h,w] in pixels of every pixel to the picture's outline, on both sides."""
    inside = (level.outline[frame] > 0.5).cpu().numpy()
    if not inside.any() or inside.all():
        return torch.zeros_like(level.plate)
    distance = distance_transform_edt(inside) + distance_transform_edt(~inside)
    return torch.from_numpy(distance).to(level.outline)
