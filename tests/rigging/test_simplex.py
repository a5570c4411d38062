"""Weights on the simplex: all rows at once give what scipy's nnls gives one by one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import nnls

from shapegen4d_core.rigging import influences
from shapegen4d_core.rigging.influences import improved_weights, joint_errors, objective
from shapegen4d_core.rigging.moments import homogeneous, motion_products
from shapegen4d_core.rigging.simplex import simplex_weights

HEAVY = 1e4  # weight of the row that asks nnls for the sum 1


def problems(count: int, joints: int, rows: int, seed: int):
    """Matrices [N,R,J] and right sides [N,R] whose best weights lie partly on the border."""
    random = np.random.default_rng(seed)
    matrices = 0.5 * random.normal(size=(count, rows, joints)) + random.normal(size=(count, rows, 1))
    shares = random.dirichlet(np.full(joints, 0.3), size=count)
    return matrices, np.einsum("nrj,nj->nr", matrices, shares) + 0.2 * random.normal(size=(count, rows))


def normal(matrices, right):
    return np.einsum("nrj,nrk->njk", matrices, matrices), np.einsum("nrj,nr->nj", matrices, right)


def reference(matrix, right):
    joints = matrix.shape[1]
    return nnls(np.vstack([matrix, np.full((1, joints), HEAVY)]), np.append(right, HEAVY))[0]


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 12), st.integers(0, 10_000))
def test_agrees_with_nnls(joints, seed):
    matrices, right = problems(12, joints, 15, seed)
    found = simplex_weights(*normal(matrices, right))
    expected = np.stack([reference(*problem) for problem in zip(matrices, right)])
    np.testing.assert_allclose(found, expected, atol=1e-6)
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-12)
    assert found.min() >= 0


def test_a_start_changes_nothing_but_the_time():
    matrices, right = problems(200, 10, 20, 1)
    squares, targets = normal(matrices, right)
    cold = simplex_weights(squares, targets)
    start = np.random.default_rng(0).dirichlet(np.full(10, 0.3), size=200)
    start[start < 0.1] = 0
    warm = simplex_weights(squares, targets, start / start.sum(axis=1, keepdims=True))
    np.testing.assert_allclose(warm, cold, atol=1e-9)
    assert ((cold > 0).sum(axis=1) < 10).any() and ((cold > 0).sum(axis=1) > 1).any()


def test_joints_that_move_alike_are_no_trouble():
    matrices, right = problems(50, 4, 10, 2)
    twice = np.concatenate([matrices, matrices[:, :, :2]], axis=2)
    found, alone = simplex_weights(*normal(twice, right)), simplex_weights(*normal(matrices, right))
    found[:, :2] += found[:, 4:]
    np.testing.assert_allclose(found[:, :4], alone, atol=1e-6)


def test_one_joint_that_is_exact_gets_everything():
    matrices, _ = problems(20, 5, 12, 3)
    found = simplex_weights(*normal(matrices, matrices[:, :, 3]))
    np.testing.assert_allclose(found, np.eye(5)[[3] * 20], atol=1e-9)


@pytest.mark.parametrize("joints", [1, 3])
def test_a_place_that_all_joints_take_to_zero(joints):
    """What is wanted there is all that is left of the problem, and no weight can give it."""
    tiny = 1e-17 * np.random.default_rng(0).normal(size=(100, 2, joints))
    found = simplex_weights(*normal(tiny, np.ones((100, 2))))
    assert found.min() >= 0
    np.testing.assert_allclose(found.sum(axis=1), 1)


@pytest.fixture
def vertices():
    """Rest places [V,3], motions [T,J,3,4], frames [T,V,3] and what the weights are solved from."""
    random = np.random.default_rng(4)
    rest, motions = random.normal(size=(40, 3)), random.normal(size=(5, 7, 3, 4))
    frames = random.normal(size=(5, 40, 3))
    pulled = np.einsum("tvi,tjik->vjk", frames, motions)
    return rest, motions, frames, motion_products(motions), pulled


def placed(rest, motions):
    """Where each joint alone would put each vertex, [V,3T,J]."""
    moved = np.einsum("tjik,vk->vtij", motions, homogeneous(rest))
    return moved.reshape(len(rest), -1, motions.shape[1])


def test_sums_are_those_of_the_whole_problem(vertices):
    rest, motions, frames, products, pulled = vertices
    wanted = frames.transpose(1, 0, 2).reshape(40, -1)
    alone = ((placed(rest, motions) - wanted[:, :, None]) ** 2).sum(axis=1)
    found = joint_errors(homogeneous(rest), products, pulled) + (wanted**2).sum(axis=1)[:, None]
    np.testing.assert_allclose(found, alone, rtol=1e-9)


@pytest.mark.parametrize("most", [1, 2, 3])
def test_few_joints_are_the_best_of_those_chosen(vertices, most):
    rest, motions, frames, products, pulled = vertices
    before = np.eye(7)[np.zeros(40, int)]
    found = improved_weights(rest, before, products, pulled, most)
    matrices, right = placed(rest, motions), frames.transpose(1, 0, 2).reshape(40, -1)
    for row, matrix, wanted in zip(found, matrices, right):
        chosen = np.flatnonzero(row)
        assert len(chosen) <= most
        np.testing.assert_allclose(row[chosen], reference(matrix[:, chosen], wanted), atol=1e-5)
    squares, targets = normal(matrices, right)
    assert (objective(squares, targets, found) <= objective(squares, targets, before) + 1e-9).all()


def test_of_many_joints_the_best_and_those_before_are_weighed(vertices, monkeypatch):
    rest, motions, frames, products, pulled = vertices
    before = np.eye(7)[np.arange(40) % 7]
    everything = improved_weights(rest, before, products, pulled, 3)
    monkeypatch.setattr(influences, "_CANDIDATES", 4)
    found = improved_weights(rest, before, products, pulled, 3)
    squares, targets = normal(placed(rest, motions), frames.transpose(1, 0, 2).reshape(40, -1))
    at_start, at_best, now = (objective(squares, targets, rows) for rows in (before, everything, found))
    assert (now <= at_start + 1e-9).all() and not np.array_equal(found, everything)
    assert (at_start - now).sum() > 0.8 * (at_start - at_best).sum()


def test_weights_that_were_better_stay(vertices):
    """The joint with the largest share among all is not always the best one alone."""
    rest, _, _, products, pulled = vertices
    best = np.eye(7)[joint_errors(homogeneous(rest), products, pulled).argmin(axis=1)]
    np.testing.assert_array_equal(improved_weights(rest, best, products, pulled, 1), best)
    other = np.roll(best, 1, axis=1)
    assert not np.array_equal(improved_weights(rest, other, products, pulled, 1), best)
