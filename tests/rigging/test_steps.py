"""The steps of the descent, each against the plain solution of its own small problem."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from shapegen4d_core.geometry.similarity import fit_similarity
from shapegen4d_core.rigging import moments
from shapegen4d_core.rigging.descent import Descent
from shapegen4d_core.rigging.joints import improved_motions, nearest_rigid, rigid_motions
from shapegen4d_core.rigging.moments import Frames, homogeneous, joint_sums, motion_products, pulls
from shapegen4d_core.rigging.rest import improved_rest
from shapegen4d_core.rigging.start import clustered_motions
from tests.rigging.skins import bodies, tube

ORIGIN = np.zeros(3)


def all_of(meshes) -> Frames:
    return Frames(meshes.vertices, np.arange(len(meshes.vertices[0])), ORIGIN, 1.0)


def moved(rest, weights, motions) -> np.ndarray:
    """The skin's frames [T,V,3], term by term."""
    return np.einsum("vj,tjik,vk->tvi", weights, motions, homogeneous(rest))


def error(frames, rest, weights, motions) -> float:
    wanted = np.stack([frames[frame] for frame in range(frames.frame_count)])
    return float(((moved(rest, weights, motions) - wanted) ** 2).sum())


@pytest.fixture
def skin():
    """A tube, random weights of four joints and motions that are near to right."""
    frames, random = all_of(tube(4, 5, rings=12)), np.random.default_rng(0)
    rest = frames[0]
    weights = random.dirichlet(np.full(4, 0.5), size=len(rest))
    return frames, rest, weights, clustered_motions(frames, rest, 4, random)


def test_one_joint_is_the_best_rigid_motion(skin):
    frames, rest, weights, motions = skin
    alone = np.ones((len(rest), 1))
    found = improved_motions(motions[:, :1], *joint_sums(frames, rest, alone), rounds=1)
    for frame in range(frames.frame_count):
        best = fit_similarity(rest, frames[frame], with_scale=False)
        np.testing.assert_allclose(found[frame, 0, :, :3], best.rotation, atol=1e-6)
        np.testing.assert_allclose(found[frame, 0, :, 3], best.translation, atol=1e-5)
    shares = weights[:, 0]
    weighted = rigid_motions(rest, shares, frames[1][None])[0]
    best = fit_similarity(rest, frames[1], with_scale=False, weights=shares)
    np.testing.assert_allclose(weighted[:, :3], best.rotation, atol=1e-6)


def test_motions_never_raise_the_error(skin):
    frames, rest, weights, motions = skin
    sums = joint_sums(frames, rest, weights)
    errors = [error(frames, rest, weights, motions)]
    for _ in range(4):
        motions = improved_motions(motions, *sums, rounds=1)
        errors.append(error(frames, rest, weights, motions))
        turns = motions[..., :3]
        np.testing.assert_allclose(turns @ turns.swapaxes(2, 3), np.broadcast_to(np.eye(3), turns.shape), atol=1e-9)
        np.testing.assert_allclose(np.linalg.det(turns), 1, atol=1e-9)
    assert (np.diff(errors) <= 1e-9).all() and errors[-1] < 0.9 * errors[0]


def test_a_joint_without_weight_keeps_its_motion(skin):
    frames, rest, weights, motions = skin
    weights[:, 2] = 0
    found = improved_motions(motions, *joint_sums(frames, rest, weights))
    np.testing.assert_array_equal(found[:, 2], motions[:, 2])


def test_rest_places_are_those_of_least_squares(skin):
    frames, rest, weights, motions = skin
    found = improved_rest(rest, weights, motion_products(motions), pulls(frames, motions), 4, frames.frame_count)
    blended = np.einsum("vj,tjik->vtik", weights, motions)
    for vertex in range(0, len(rest), 7):
        right = np.concatenate([frames[t][vertex] - blended[vertex, t, :, 3] for t in range(frames.frame_count)])
        best = np.linalg.lstsq(blended[vertex, :, :, :3].reshape(-1, 3), right, rcond=None)[0]
        np.testing.assert_allclose(found[vertex], best, atol=1e-4)
    assert error(frames, found, weights, motions) < error(frames, rest, weights, motions)


def test_every_round_says_its_true_error_and_never_rises(skin):
    frames, rest, _, motions = skin
    descent = Descent(frames, 2, fit_rest=True)
    now, before, errors = descent.begin(rest, motions), None, []
    for _ in range(12):
        now, before = descent.step(now, before), now
        errors.append(now.error)
        assert now.error == pytest.approx(error(frames, now.rest, now.weights, now.motions), rel=1e-6)
        assert (now.weights > 0).sum(axis=1).max() <= 2
    assert (np.diff(errors) <= 1e-12).all()
    assert descent.rms(now) == pytest.approx(np.sqrt(errors[-1] / (frames.frame_count * len(rest))))


def test_looking_too_far_ahead_is_taken_back(skin):
    frames, rest, _, motions = skin
    descent = Descent(frames, 2, fit_rest=True)
    now = descent.step(descent.begin(rest, motions))
    wild = replace(now, motions=now.motions + np.random.default_rng(0).normal(size=motions.shape))
    errors = [now.error]
    for _ in range(3):
        now = descent.step(now, wild)
        errors.append(now.error)
    assert (np.diff(errors) <= 1e-12).all() and errors[-1] < errors[0]


def test_rotations_made_rigid_again():
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
    turn *= np.sign(np.linalg.det(turn))
    motion = np.concatenate([1.3 * turn, [[1], [2], [3]]], axis=1)
    np.testing.assert_allclose(nearest_rigid(motion)[:, :3], turn, atol=1e-12)
    mirrored = nearest_rigid(np.concatenate([-turn, np.zeros((3, 1))], axis=1))
    assert np.linalg.det(mirrored[:, :3]) == pytest.approx(1)


def test_rigid_bodies_are_told_apart():
    frames = all_of(bodies(3))
    motions = clustered_motions(frames, frames[0], 8, np.random.default_rng(0))
    assert motions.shape[1] <= 4  # nothing is left to split once every body has its joint
    descent = Descent(frames, 1, fit_rest=False)
    skin = descent.step(descent.begin(frames[0], motions))
    assert descent.rms(skin) < 1e-6


def test_every_long_step_can_be_cancelled(skin, monkeypatch):
    """Each asks once per frame it reads, block of vertices, or joint; blocks change nothing."""
    frames, rest, weights, motions = skin
    asked = []

    def check() -> None:
        asked.append(None)

    def asks(step) -> int:
        asked.clear()
        step()
        return len(asked)

    products, pulled, sums = motion_products(motions), pulls(frames, motions), joint_sums(frames, rest, weights)
    monkeypatch.setattr(moments, "VERTEX_BLOCK", 10)
    blocks, count = -(-len(rest) // 10), frames.frame_count
    assert asks(lambda: improved_rest(rest, weights, products, pulled, 4, count, check)) == blocks > 1
    assert asks(lambda: pulls(frames, motions, check)) == count + blocks
    assert asks(lambda: joint_sums(frames, rest, weights, check)) == count + 2 * blocks
    assert asks(lambda: improved_motions(motions, *sums, rounds=2, check=check)) == 2 * 4
    assert asks(lambda: Descent(frames, 4, True, check).begin(rest, motions)) == count + count + 2 * blocks
    np.testing.assert_allclose(pulls(frames, motions), pulled, atol=1e-9)
    for again, before in zip(joint_sums(frames, rest, weights), sums):
        np.testing.assert_allclose(again, before, atol=1e-9)
