"""Derivatives from one render against finite differences of renders."""

from __future__ import annotations

import pytest
import torch

from shapegen4d_core.registration.pose.filters import blurred, shrunk
from shapegen4d_core.registration.pose.motion_field import camera_points, mask_change, screen_velocities, velocities
from shapegen4d_core.registration.pose.poses import FREE_WITH_ROLL, pose_of
from shapegen4d_core.registration.pose.refine import outline_equations
from shapegen4d_core.registration.pose.scene import build_scene
from shapegen4d_core.registration.pose.shading_fit import shading_equations

SIDE, SIGMA = 192, 4.0
STEPS = torch.tensor([0.03, 0.03, 0.03, 0.006, 0.006, 0.02], dtype=torch.float64)


@pytest.fixture(scope="module")
def scene(known):
    return build_scene(known.meshes, known.clip, 40.0, 4000)


@pytest.fixture(scope="module")
def nearby(known, scene):
    pose = pose_of(known.rotation, known.translation, scene.pivot)[None]
    return pose + torch.tensor([0.05, -0.04, 0.03, 0.005, -0.004, 0.02])


def pairs(pose):
    """The pose moved a step up [6,6] and down [6,6] in each number."""
    return pose + torch.diag(STEPS), pose - torch.diag(STEPS)


@pytest.mark.parametrize("number, error", [(0, 0.35), (1, 0.35), (2, 0.15), (3, 0.1), (4, 0.1), (5, 0.1)])
def test_an_outline_moves_as_its_points_do(scene, nearby, number, error):
    """Turning is known less well: the rim lies a little deeper than the centre of the last pixel that shows it."""
    level = scene.level(SIDE)
    raster = scene.raster(nearby, 0, level)
    seen, points = raster.face_id >= 0, camera_points(raster, level)
    screen = screen_velocities(velocities(nearby, points, FREE_WITH_ROLL), points, level, seen)
    change = blurred(mask_change(seen, screen), SIGMA)[0, number]
    up, down = ((scene.raster(rows, 0, level).face_id >= 0).float() for rows in pairs(nearby))
    difference = (blurred(up, SIGMA) - blurred(down, SIGMA))[number] / (2 * STEPS[number])
    assert float((change - difference).norm() / difference.norm()) < error
    assert float((change * difference).sum() / change.norm() / difference.norm()) > 0.96


@pytest.mark.parametrize("term", ["outline", "shading"])
def test_gradients_of_costs_match_finite_differences(scene, nearby, term):
    frames = scene.spread(None)
    if term == "outline":
        evaluate = outline_equations(scene, frames, SIDE, SIGMA, FREE_WITH_ROLL)
    else:
        evaluate = shading_equations(scene, frames, SIDE, FREE_WITH_ROLL)
    gradient = 2 * evaluate(nearby).gradient[0]
    up, down = (evaluate(rows).cost for rows in pairs(nearby))
    expected = (up - down) / (2 * STEPS)
    scale = STEPS / STEPS[0]  # compare moves of about equal size in the picture
    assert float((gradient * scale) @ (expected * scale) / (gradient * scale).norm() / (expected * scale).norm()) > 0.93


def test_blurring_keeps_sums_and_shrinking_takes_a_border():
    spot = torch.zeros(2, 31, 31)
    spot[:, 15, 15] = 1
    assert float(blurred(spot, 2.0).sum()) == pytest.approx(2.0, rel=1e-4)
    square = torch.zeros(1, 20, 20, dtype=torch.bool)
    square[0, 5:15, 5:15] = True
    assert int(shrunk(square, 2).sum()) == 36 and shrunk(square, 0) is square
