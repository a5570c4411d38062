"""Tolerances of the reference scene: refinement from a start nearby, and the search from no start at all."""

from __future__ import annotations

import pytest
import torch

from shapegen4d_core.registration.pose import PoseSettings, register_pose
from shapegen4d_core.registration.pose.finish import fitted
from shapegen4d_core.registration.pose.poses import FREE_WITH_ROLL, angle_between, pose_of, rigid
from shapegen4d_core.registration.pose.scene import build_scene


def eye_error(rotation, translation, known):
    """Distance between camera centres in the scene's units."""
    eyes = [-turn.T @ shift for turn, shift in ((rotation, translation), (known.rotation, known.translation))]
    return float((eyes[0] - eyes[1]).norm())


@pytest.mark.parametrize("seed", [0, 1])
def test_outlines_alone_bring_a_start_nearby_home(known, seed):
    scene = build_scene(known.meshes, known.clip, 40.0, 4000)
    truth = pose_of(known.rotation, known.translation, scene.pivot)[None]
    draw = torch.randn(3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    start = truth.clone()
    start[0, :3] += draw / draw.norm() * torch.tensor(18.0).deg2rad()
    start[0, 5] += 0.09 * (-1) ** seed
    frames = scene.spread(None)
    pose = fitted(scene, start, frames, 48, 2.0, FREE_WITH_ROLL, 15, appearance=False).poses
    pose = fitted(scene, pose, frames, 192, 1.0, FREE_WITH_ROLL, 10, appearance=False).poses
    turn, shift = (value[0] for value in rigid(pose, scene.pivot))
    assert float(angle_between(turn, known.rotation)) <= 0.5
    assert eye_error(turn, shift, known) <= 0.01


def test_the_search_needs_no_start(known):
    found = register_pose(known.meshes, known.clip, PoseSettings(views=128, rivals=3, particles=4, moves=1))
    assert float(angle_between(torch.from_numpy(found.rotation), known.rotation)) <= 0.5
    assert eye_error(torch.from_numpy(found.rotation), torch.from_numpy(found.translation), known) <= 0.01
    assert found.iou.min() > 0.97
