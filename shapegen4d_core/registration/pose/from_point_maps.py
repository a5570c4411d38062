"""The pose that a point map network gives (paper, A.1 stage 2): one more candidate for the pool."""

from __future__ import annotations

import torch
from torch import Tensor

from ...errors import InputError
from ..point_maps import PointMaps, pose_from_point_maps, rendered_points
from .judge import Judge, straight
from .poses import ROLL, distinct, pose_of, within_poles
from .scene import Scene
from .settings import PoseSettings
from .stages import Stages

VIEWS = 7  # renders beside the film's picture, as published
_APART = 15.0  # degrees between them, where the pool allows


def with_point_maps(
    scene: Scene, poses: Tensor, point_maps: PointMaps, judge: Judge, settings: PoseSettings, stages: Stages
) -> Tensor:
    """The pool [N,6] with the network's pose of the first frame in front, when the network gives a usable one."""
    views = poses[distinct(poses, _APART, VIEWS)]
    level = scene.level(scene.pictures.shape[1])
    pictures = judge.pictures(views, 0, level)
    film = straight(scene.pictures[:1])
    stages.step()
    points, confidence = point_maps(torch.cat([film, pictures]).cpu(), None, scene.check)
    raster = scene.raster(views, 0, level)
    shape = scene.shape(0, level)
    true_points, masks = rendered_points(shape.vertices, shape.faces, raster)
    try:
        turn, shift, report = pose_from_point_maps(
            points, confidence, true_points.cpu(), masks.cpu(), level.outline[0].cpu() > 0.5, level.intrinsics.cpu(),
            seed=settings.seed,
        )  # fmt: skip
    except InputError as error:
        stages.note(views=len(views), used=False, why=str(error))
        return poses
    finally:
        stages.step()
    rotation, translation = torch.from_numpy(turn).to(poses), torch.from_numpy(shift).to(poses)
    if float((rotation @ scene.pivot + translation)[2]) <= 0:
        stages.note(views=len(views), used=False, why="The network put the object behind the camera.")
        return poses
    found = pose_of(rotation, translation, scene.pivot)[None]
    stages.note(views=len(views), used=True, roll_degrees=round(float(found[0, ROLL].rad2deg()), 3), **report.to_dict())
    if not settings.roll:
        found[:, ROLL] = 0
    return torch.cat([within_poles(found), poses])
