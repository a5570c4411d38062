"""Following the surface repairs any guess, as long as it is touched somewhere."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import binary_dilation, gaussian_filter

from shapegen4d_core.decoding.follow import follow_surface


def crossed_corners(inside: np.ndarray) -> np.ndarray:
    """Corners of cells of both signs, the outside of the box being empty; a plain loop over the offsets."""
    padded = np.pad(inside, 1)
    touched = np.zeros(padded.shape, bool)
    cells = [padded[i : i - 1 or None, j : j - 1 or None, k : k - 1 or None] for i, j, k in np.ndindex(2, 2, 2)]
    mixed = np.any(cells, axis=0) & ~np.all(cells, axis=0)
    for i, j, k in np.ndindex(2, 2, 2):
        touched[i : i - 1 or None, j : j - 1 or None, k : k - 1 or None] |= mixed
    return touched[1:-1, 1:-1, 1:-1]


def run(truth: np.ndarray, guess: np.ndarray, known: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Values and known mask after following, and a check that nothing is evaluated twice."""
    exact = torch.from_numpy(truth).view(-1)
    values, mask = torch.from_numpy(np.where(known, truth, guess)), torch.from_numpy(known.copy())

    def evaluate(flat):
        assert len(flat.unique()) == len(flat) and not mask.view(-1)[flat].any()
        return exact[flat]

    follow_surface(values, mask, evaluate)
    return values.numpy(), mask.numpy()


def noise(seed: int, side: int, smooth: float) -> np.ndarray:
    field = gaussian_filter(np.random.default_rng(seed).normal(size=(side,) * 3), smooth)
    return (field / np.abs(field).max()).astype(np.float32)


@pytest.mark.parametrize("seed", range(4))
def test_right_guesses_need_exactly_the_crossed_corners(seed):
    truth = noise(seed, 70, 4.0)  # three slabs of the first pass
    values, known = run(truth, np.sign(truth), np.zeros(truth.shape, bool))
    needed = crossed_corners(truth >= 0)
    np.testing.assert_array_equal(known, needed)
    np.testing.assert_array_equal(values[known], truth[known])


@settings(max_examples=20, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10**6), side=st.integers(9, 20))
def test_wrong_guesses_are_repaired(seed, side):
    """Whatever the guesses: in the end every crossed cell has exact corners, and its surface is a true one."""
    truth = noise(seed, side, 1.5)
    random = np.random.default_rng(seed)
    guess = np.where(random.random(truth.shape) < 0.5, 1, -1).astype(np.float32)
    values, known = run(truth, guess, random.random(truth.shape) < 0.1)
    needed = crossed_corners(values >= 0)
    assert known[needed].all()
    np.testing.assert_array_equal(values[known], truth[known])


def test_a_strand_is_followed_from_one_seen_vertex():
    truth = np.full((40, 40, 40), -1, np.float32)
    truth[5:35, 20, 20], truth[34, 20:35, 20], truth[34, 34, 20:30] = 1, 1, 1
    known = np.zeros(truth.shape, bool)
    known[20, 20, 20] = True
    values, mask = run(truth, np.full_like(truth, -1), known)
    np.testing.assert_array_equal(values, truth)
    np.testing.assert_array_equal(mask, binary_dilation(truth > 0, np.ones((3, 3, 3))))


def test_nothing_to_follow():
    empty = np.full((9, 9, 9), -1, np.float32)
    values, known = run(empty, empty, np.zeros(empty.shape, bool))
    assert not known.any() and (values == -1).all()
