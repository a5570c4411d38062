"""Poses as rows of six numbers, batched: what every stage of the search moves.

A pose row is (yaw, pitch, roll, a, b, s): the object is seen from ``yaw`` and ``pitch`` (radians, as in
:class:`~shapegen4d_core.camera.Camera`), turned by ``roll`` about the view axis, and its pivot (the centre of the
sequence's box) lies at depth ``exp(s)`` in the direction (a, b, 1) of the OpenCV camera (x right, y down, z forward).
As a rigid transform: ``x_camera = R @ x_object + t``. N poses; lengths in half boxes.

The published parameters are yaw, pitch, radius and look-at (paper, A.1). They hold the same five degrees of freedom
without roll, with one number too many (moving look-at along the view axis changes nothing); here none is left over,
and direction, place and size hardly influence each other.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

YAW, PITCH, ROLL, ACROSS, DOWN, LOG_DEPTH = range(6)
FREE_WITHOUT_ROLL = (YAW, PITCH, ACROSS, DOWN, LOG_DEPTH)
FREE_WITH_ROLL = tuple(range(6))


def rotations(poses: Tensor) -> Tensor:
    """Object to camera rotations [N,3,3] of poses [N,6]."""
    sin, cos = poses[:, :3].sin(), poses[:, :3].cos()
    (sy, sp, sr), (cy, cp, cr) = sin.unbind(1), cos.unbind(1)
    zero = torch.zeros_like(sy)
    right = torch.stack([cy, zero, -sy], 1)
    down = torch.stack([sp * sy, -cp, sp * cy], 1)
    forward = torch.stack([-cp * sy, -sp, -cp * cy], 1)
    cr, sr = cr[:, None], sr[:, None]
    return torch.stack([cr * right - sr * down, sr * right + cr * down, forward], 1)


def pivots(poses: Tensor) -> Tensor:
    """Where the pivot lies in the camera [N,3]."""
    direction = torch.cat([poses[:, 3:5], torch.ones_like(poses[:, :1])], 1)
    return direction * poses[:, 5:].exp()


def rigid(poses: Tensor, pivot: Tensor) -> tuple[Tensor, Tensor]:
    """R [N,3,3] and t [N,3] of poses about a ``pivot`` [3] in object space."""
    turn = rotations(poses)
    return turn, pivots(poses) - turn @ pivot.to(turn)


def pose_of(rotation: Tensor, translation: Tensor, pivot: Tensor) -> Tensor:
    """The pose row [6] of one rigid transform R [3,3], t [3] whose pivot lies in front of the camera.

    Straight above and below, where yaw and roll are one, roll is 0.
    """
    forward = rotation[2]
    pitch = torch.asin((-forward[1]).clamp(-1, 1))
    if float(pitch.cos()) > 1e-6:
        yaw = torch.atan2(-forward[0], -forward[2])
    else:
        yaw = torch.atan2(-rotation[0, 2], rotation[0, 0])
    level = rotations(torch.stack([yaw, pitch, *torch.zeros(4).to(yaw)])[None])[0]
    roll = torch.atan2(rotation[1] @ level[0], rotation[0] @ level[0])
    place = rotation @ pivot.to(rotation) + translation
    return torch.stack([yaw, pitch, roll, place[0] / place[2], place[1] / place[2], place[2].log()])


def turn_axes(poses: Tensor) -> Tensor:
    """Angular velocities [N,3 angles,3] in camera axes when yaw, pitch or roll grows by one radian."""
    turn = rotations(poses)
    cos, sin = poses[:, ROLL].cos(), poses[:, ROLL].sin()
    zero, one = torch.zeros_like(cos), torch.ones_like(cos)
    across = torch.stack([cos, sin, zero], 1)
    along = torch.stack([zero, zero, one], 1)
    return torch.stack([-turn[:, :, 1], across, along], 1)


def angle_between(first: Tensor, second: Tensor) -> Tensor:
    """Angle in degrees between rotations [...,3,3]."""
    trace = (first * second).sum(dim=(-2, -1))
    sine = torch.linalg.norm(first - second, dim=(-2, -1)) / math.sqrt(8)  # of half the angle: exact when small
    return torch.where(trace > 1, 2 * sine.clamp(max=1).asin(), ((trace - 1) / 2).clamp(-1, 1).acos()).rad2deg()


def distinct(poses: Tensor, least_degrees: float, count: int) -> Tensor:
    """Rows of the first ``count`` poses (best first) that are at least ``least_degrees`` from all taken before."""
    turns, taken = rotations(poses), []
    for row in range(len(poses)):
        if all(float(angle_between(turns[row], turns[other])) >= least_degrees for other in taken):
            taken.append(row)
        if len(taken) == count:
            break
    return torch.tensor(taken, dtype=torch.long)


def sphere_directions(count: int) -> tuple[Tensor, Tensor]:
    """Yaw and pitch [count] of directions spread evenly over the sphere (Fibonacci lattice), float64."""
    number = torch.arange(count, dtype=torch.float64) + 0.5
    pitch = (1 - 2 * number / count).asin()
    yaw = (number * math.pi * (3 - math.sqrt(5)) + math.pi) % (2 * math.pi) - math.pi
    return yaw, pitch


def within_poles(poses: Tensor) -> Tensor:
    """The poses with pitch kept between straight below and straight above, and yaw and roll in (-pi, pi]."""
    poses = poses.clone()
    poses[:, PITCH] = poses[:, PITCH].clamp(-math.pi / 2, math.pi / 2)
    for angle in (YAW, ROLL):
        poses[:, angle] = torch.atan2(poses[:, angle].sin(), poses[:, angle].cos())
    return poses


def as_numpy(tensor: Tensor) -> np.ndarray:
    """Float64 copy on the CPU."""
    return tensor.detach().cpu().double().numpy()
