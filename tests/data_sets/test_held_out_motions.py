"""Motions kept out of training: bodies of trained families, moved as their names say."""

from __future__ import annotations

import numpy as np
import pytest

from shapegen4d_core.data.families import FAMILIES, HELD_OUT, HELD_OUT_MOTIONS, TRAINING

SEEDS = range(6)
TIMES = np.linspace(0, 1, 9)


def moved(name: str, seed: int) -> np.ndarray:
    """Part centres [T,K,3] through one clip."""
    pose = HELD_OUT_MOTIONS[name](np.random.default_rng(seed))
    return np.array([[part.position for part in pose(u).parts] for u in TIMES])


def test_they_are_neither_trained_on_nor_among_the_unseen_families():
    assert HELD_OUT_MOTIONS and not set(HELD_OUT_MOTIONS) & (set(TRAINING) | set(HELD_OUT))
    assert set(HELD_OUT_MOTIONS) < set(FAMILIES)


@pytest.mark.parametrize("name", HELD_OUT_MOTIONS)
def test_each_has_the_body_of_a_trained_family_and_its_own_motion(name):
    trained = next(family for key, family in TRAINING.items() if name.startswith(key))
    for seed in SEEDS:
        ours = HELD_OUT_MOTIONS[name](np.random.default_rng(seed))
        theirs = trained(np.random.default_rng(seed))
        assert [part.kind for part in ours(0.3).parts] == [part.kind for part in theirs(0.3).parts]
        assert ours(0.3).blend == theirs(0.3).blend
        found = moved(name, seed)
        assert np.ptp(found, axis=0).max() > 0.2
        usual = np.array([[part.position for part in theirs(u).parts] for u in TIMES])
        assert np.abs(found - usual).max() > 0.1
        turns = np.array([[part.rotation for part in ours(u).parts] for u in TIMES])
        assert np.allclose(turns @ turns.swapaxes(2, 3), np.eye(3))


@pytest.mark.parametrize("seed", SEEDS)
def test_a_rearing_animal_stands_on_its_hind_legs(seed):
    found = moved("quadruped_rear", seed)
    assert np.ptp(found[:, 5:9], axis=0).max() < 1e-9
    assert found[4, 10, 1] > found[0, 10, 1] + 0.1  # the head


@pytest.mark.parametrize("seed", SEEDS)
def test_a_bowing_figure_keeps_its_feet_and_leans_to_the_front(seed):
    found = moved("biped_bow", seed)
    assert np.ptp(found[:, [3, 4, 7, 8]], axis=0).max() < 1e-9
    assert found[4, 9, 1] < found[0, 9, 1] - 0.1 and found[4, 9, 2] > found[0, 9, 2] + 0.2


@pytest.mark.parametrize("seed", SEEDS)
def test_orbiting_balls_keep_their_height_and_distance_from_the_axis(seed):
    found = moved("metaballs_orbit", seed)
    reach = np.linalg.norm(found[..., [0, 2]], axis=2)
    assert np.ptp(reach, axis=0).max() < 1e-9 and np.ptp(found[..., 1], axis=0).max() < 1e-9


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name, axis", [("pulsar_roll", 0), ("arm_turn", 1)])
def test_turning_bodies_are_rigid_and_turn_once(name, axis, seed):
    found = moved(name, seed)[:, 1:]
    between = np.linalg.norm(found[:, :, None] - found[:, None], axis=3)
    assert np.ptp(between, axis=0).max() < 1e-9 and np.ptp(found[..., axis], axis=0).max() < 1e-9
    across = [other for other in range(3) if other != axis]
    assert np.allclose(found[0], found[8]) and np.allclose(found[0][:, across], -found[4][:, across])


@pytest.mark.parametrize("seed", SEEDS)
def test_a_rocking_tower_leans_to_both_sides(seed):
    hub = moved("spinner_rock", seed)[:, 1]
    assert hub[:, 0].max() > 0.15 and hub[:, 0].min() < -0.15 and np.allclose(hub[0], hub[4])


@pytest.mark.parametrize("seed", SEEDS)
def test_a_turning_arm_leaves_its_base_as_it_is(seed):
    pose = HELD_OUT_MOTIONS["arm_turn"](np.random.default_rng(seed))
    assert all(np.array_equal(pose(u).parts[0].rotation, np.eye(3)) for u in TIMES)
