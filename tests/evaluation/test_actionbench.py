from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from shapegen4d_core.evaluation import gradient_icp as module
from shapegen4d_core.evaluation.actionbench import ActionBenchSettings, action_bench, motion_distance, subset_chamfer
from shapegen4d_core.evaluation.gradient_icp import GradientSettings, gradient_icp, right_angle_rotations
from shapegen4d_core.geometry.distances import FAILED_CHAMFER, chamfer_distance, tree_of
from shapegen4d_core.geometry.surface_points import choose_points, sample_surface

QUICK = GradientSettings(iterations=70, points=350, starts=1, trial_iterations=20, trial_points=100)
BENCH = ActionBenchSettings(points=1000, queries=1000, gradient=QUICK)


def test_there_are_24_different_rotations():
    found = right_angle_rotations()
    assert len({tuple(turn.reshape(-1)) for turn in found}) == 24
    assert np.allclose(np.linalg.det(found), 1) and np.allclose(found @ found.transpose(0, 2, 1), np.eye(3))


def test_the_loss_and_its_gradient_equal_the_reference(golden):
    data = golden("chamfer")
    for item in range(2):
        cloud = torch.from_numpy(data["in.x"][item]).requires_grad_()
        target = torch.from_numpy(data["in.y"][item])
        loss = module._squared_chamfer(cloud, target, tree_of(target.numpy()))
        assert loss.item() == pytest.approx(float(data["out.mean_none"][item]), rel=1e-5)
        loss.backward()
        assert np.allclose(cloud.grad.numpy() / 2, data["out.mean_mean_grad_x"][item], atol=1e-6)


@pytest.mark.parametrize("euler", [(180, 0, 0), (8, 97, -6)])
def test_the_starts_solve_flips_and_scales(creature, euler):
    fixed, moving = (sample_surface(*creature, 600, seed) for seed in (1, 2))
    turn = Rotation.from_euler("xyz", euler, degrees=True).as_matrix()
    given = (moving * 1.1 + 0.05) @ turn
    found = gradient_icp(given, fixed, QUICK)
    assert chamfer_distance(found(given), fixed) < 1.25 * chamfer_distance(moving, fixed)


def test_a_squash_is_repaired_with_three_scales_and_not_with_one(creature):
    fixed, moving = (sample_surface(*creature, 600, seed) for seed in (1, 2))
    squashed = moving * [0.75, 1.25, 1.0]
    floor = chamfer_distance(moving, fixed)
    free = gradient_icp(squashed, fixed, QUICK)
    even = gradient_icp(squashed, fixed, replace(QUICK, isotropic=True))
    assert np.allclose(free.scale, [1 / 0.75, 1 / 1.25, 1.0], rtol=0.06)
    assert chamfer_distance(free(squashed), fixed) < 1.2 * floor < 1.6 * floor < chamfer_distance(even(squashed), fixed)
    assert len(set(even.scale.tolist())) == 1


def test_the_stored_transform_is_the_one_whose_loss_is_reported(creature):
    fixed, moving = (sample_surface(*creature, 300, seed) for seed in (1, 2))
    found = gradient_icp(moving * 1.2, fixed, replace(QUICK, points=300, iterations=7))
    cloud, target = torch.from_numpy(found(moving * 1.2)).float(), torch.from_numpy(fixed).float()
    assert module._squared_chamfer(cloud, target, tree_of(fixed)).item() == pytest.approx(found.loss, rel=1e-4)


def test_subsets_ask_all_of_the_other_cloud():
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=(500, 3)), rng.normal(size=(400, 3))
    gaps = np.linalg.norm(first[:, None] - second[None], axis=-1)
    everything = replace(BENCH, queries=10_000)
    assert subset_chamfer(first, second, everything) == pytest.approx(gaps.min(1).mean() + gaps.min(0).mean())
    some = subset_chamfer(first, second, replace(BENCH, queries=200))
    assert some == pytest.approx(gaps.min(1).mean() + gaps.min(0).mean(), rel=0.1) and some != pytest.approx(0)
    assert subset_chamfer(first[:0], second, BENCH) == FAILED_CHAMFER


def test_motion_distance_equals_brute_force():
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=(3, 500, 3)), rng.normal(size=(3, 480, 3))
    gaps = np.linalg.norm(first[0][:, None] - second[0][None], axis=-1)
    there = np.linalg.norm(first - second[:, gaps.argmin(1)], axis=-1).mean()
    back = np.linalg.norm(second - first[:, gaps.argmin(0)], axis=-1).mean()
    assert motion_distance(first, second, replace(BENCH, queries=1000)) == pytest.approx(there + back)
    assert motion_distance(first, second[:, :0], BENCH) == FAILED_CHAMFER


def test_swapped_legs_are_seen_by_the_motion_distance_only():
    """Two equal legs meet: in truth they pass each other, in the prediction they turn back. All frames look alike."""
    import trimesh

    body = trimesh.creation.box((1.4, 0.3, 0.5))
    body.apply_translation((0.2, 0.2, 0.1))
    leg = trimesh.creation.box((0.2, 0.8, 0.2))
    leg.apply_translation((0, -0.4, 0))
    mesh = trimesh.util.concatenate([body, leg, leg])
    owner = np.repeat([0, 1, 2], [len(body.vertices), len(leg.vertices), len(leg.vertices)])
    faces = np.asarray(mesh.faces)

    def tracks(places, seed):
        frames = [mesh.vertices + np.array([0, x, -x])[owner, None] * [1, 0, 0] for x in places]
        chosen = choose_points(frames[0], faces, 1200, seed)
        return [chosen.on(frame, faces) for frame in frames]

    passing, turning = [0.6, 0.2, -0.2, -0.6], [0.6, 0.2, 0.2, 0.6]
    settings = replace(BENCH, points=1200, per_frame=False)
    exact = action_bench(tracks(passing, 1), tracks(passing, 2), True, settings)
    swapped = action_bench(tracks(turning, 1), tracks(passing, 2), True, settings)
    assert swapped["cd_4d"] == pytest.approx(exact["cd_4d"], rel=0.05)
    assert swapped["cd_m"] > 3 * exact["cd_m"]


def test_frames_of_their_own_forgive_what_the_first_frame_does_not(creature):
    clouds = [sample_surface(*creature, 500, seed) for seed in range(4)]
    turned = [clouds[0], clouds[1] @ Rotation.from_euler("y", 90, degrees=True).as_matrix()]
    found = action_bench(turned, clouds[2:], False, BENCH)
    assert found["cd_3d"] < 1.3 * chamfer_distance(clouds[0], clouds[2]) < found["cd_4d"] and np.isnan(found["cd_m"])


def test_a_missing_frame_is_the_worst_and_is_not_left_out(creature):
    cloud, nothing = sample_surface(*creature, 300, 0), np.zeros((0, 3))
    found = action_bench([cloud, nothing], [cloud, cloud], False, replace(BENCH, per_frame=False))
    assert found["cd_4d"] == pytest.approx(FAILED_CHAMFER / 2, abs=0.05)
