"""Pose rows against rigid transforms, the project's camera, and finite differences."""

from __future__ import annotations

import math

import pytest
import torch

from shapegen4d_core.registration.pose.poses import (
    angle_between,
    distinct,
    pivots,
    pose_of,
    rigid,
    rotations,
    sphere_directions,
    turn_axes,
    within_poles,
)
from shapegen4d_core.rendering import opencv_camera
from shapegen4d_core.sequence import Camera

PIVOT = torch.tensor([0.1, -0.2, 0.3], dtype=torch.float64)


def some_poses(count=20):
    draw = torch.rand(count, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(1)) * 2 - 1
    return draw * torch.tensor([3.1, 1.5, 3.1, 0.2, 0.2, 1.0])


def test_rows_and_transforms_are_each_others_inverse():
    poses = some_poses()
    turns, shifts = rigid(poses, PIVOT)
    back = torch.stack([pose_of(turn, shift, PIVOT) for turn, shift in zip(turns, shifts)])
    torch.testing.assert_close(back, poses, atol=1e-9, rtol=0)


def test_rotations_are_proper():
    turns = rotations(some_poses())
    torch.testing.assert_close(turns @ turns.transpose(1, 2), torch.eye(3).double().expand_as(turns))
    assert torch.allclose(torch.linalg.det(turns), torch.ones(20).double())


def test_yaw_pitch_and_depth_are_those_of_the_camera():
    camera = Camera(35.0, -20.0, 3.0, tuple(PIVOT.tolist()), 40.0, 64, 64)
    _, turn, shift = opencv_camera(camera)
    pose = torch.tensor([[math.radians(35), math.radians(-20), 0, 0, 0, math.log(3)]], dtype=torch.float64)
    own_turn, own_shift = rigid(pose, PIVOT)
    torch.testing.assert_close(own_turn[0], turn)
    torch.testing.assert_close(own_shift[0], shift)


@pytest.mark.parametrize("pitch", [90.0, -90.0])
def test_a_camera_straight_above_or_below_is_understood(pitch):
    pose = torch.tensor([[0.7, math.radians(pitch), 0.4, 0, 0, 1]], dtype=torch.float64)
    turn, shift = rigid(pose, PIVOT)
    again = rotations(pose_of(turn[0], shift[0], PIVOT)[None])
    assert float(angle_between(again, turn)) < 1e-5


def test_turn_axes_are_the_derivatives_of_rotations():
    poses, step = some_poses(), 1e-6
    turns, axes = rotations(poses), turn_axes(poses)
    point = torch.tensor([0.3, 0.5, -0.7], dtype=torch.float64)
    for number in range(3):
        moved = poses.clone()
        moved[:, number] += step
        difference = (rotations(moved) - turns) @ point / step
        torch.testing.assert_close(torch.linalg.cross(axes[:, number], turns @ point), difference, atol=1e-5, rtol=0)


def test_the_pivot_is_where_the_row_says():
    poses = some_poses()
    turns, shifts = rigid(poses, PIVOT)
    torch.testing.assert_close(turns @ PIVOT + shifts, pivots(poses))


def test_angles_between_rotations_from_tiny_to_opposite():
    for degrees in (1e-5, 0.5, 60.0, 179.0, 180.0):
        pose = torch.zeros(2, 6, dtype=torch.float64)
        pose[1, 0] = math.radians(degrees)
        assert float(angle_between(*rotations(pose))) == pytest.approx(degrees, abs=1e-6)


def test_distinct_keeps_the_first_of_each_neighbourhood():
    poses = torch.zeros(5, 6, dtype=torch.float64)
    poses[:, 0] = torch.tensor([0, 5, 40, 43, 90]).deg2rad()
    assert distinct(poses, 10.0, 5).tolist() == [0, 2, 4]
    assert distinct(poses, 10.0, 2).tolist() == [0, 2]


def test_directions_leave_no_gap():
    yaw, pitch = sphere_directions(256)
    zero = torch.zeros(256, 4, dtype=torch.float64)
    views = rotations(torch.cat([yaw[:, None], pitch[:, None], zero], 1))[:, 2]
    cosines = views @ views.T - 2 * torch.eye(256)
    nearest = cosines.max(dim=1).values.acos().rad2deg()
    assert 9 < float(nearest.min()) and float(nearest.max()) < 14


def test_poses_stay_within_the_poles():
    pose = torch.tensor([[4.0, 2.0, -5.0, 0, 0, 0]], dtype=torch.float64)
    kept = within_poles(pose)[0]
    assert float(kept[1]) == pytest.approx(math.pi / 2)
    assert float(kept[0]) == pytest.approx(4.0 - 2 * math.pi) and float(kept[2]) == pytest.approx(2 * math.pi - 5.0)
