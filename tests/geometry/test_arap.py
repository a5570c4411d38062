"""The energy that leaves rotations free, and its solutions, against libigl."""

from __future__ import annotations

import numpy as np
import pytest

from shapegen4d_core.data.parts import rotation
from shapegen4d_core.errors import InputError
from shapegen4d_core.geometry.arap import Arap, nearest_rotations, solve_with_handles
from shapegen4d_core.geometry.linear_solver import Factored
from shapegen4d_core.geometry.mesh import area_vectors


@pytest.fixture
def reference(golden):
    return golden("laplacian")


@pytest.fixture
def arap(reference):
    return Arap.of_mesh(reference["arap_verts"], reference["arap_faces"], least=None)


def test_a_rigid_motion_costs_nothing(reference, arap):
    moved = reference["rigid_moved_verts"]
    assert np.abs(moved - reference["arap_verts"]).max() > 0.1
    assert arap.energy(moved) < 1e-8
    turn = arap.rotations(moved)
    np.testing.assert_allclose(turn, np.broadcast_to(reference["rigid_rotation"], turn.shape), atol=1e-5)
    assert arap.energy(moved, np.broadcast_to(np.eye(3), turn.shape)) > 0.1


def test_stretching_costs_what_it_should(reference, arap):
    """Scaling by s leaves the rotations alone, so the energy is (s - 1)^2 sum w |e|^2."""
    rest = reference["arap_verts"].astype(float)
    lengths = float((arap.weights * (arap.rest_edges**2).sum(axis=1)).sum())
    assert arap.energy(1.3 * rest) == pytest.approx(0.09 * lengths, rel=1e-9)


def test_pull_is_the_gradient(reference, arap):
    """For fixed rotations the energy's gradient is 4 (L x - pull): each edge is counted from both ends."""
    rng = np.random.default_rng(0)
    positions = reference["deformed_verts"] + 0.01 * rng.normal(size=reference["deformed_verts"].shape)
    turns, direction = arap.rotations(positions), rng.normal(size=positions.shape)
    step = 1e-5
    slope = (arap.energy(positions + step * direction) - arap.energy(positions - step * direction)) / (2 * step)
    gradient = 4 * (arap.laplacian @ positions - arap.pull(turns))
    assert (gradient * direction).sum() == pytest.approx(slope, rel=1e-5)


def test_handles_match_libigl(reference, arap):
    found = solve_with_handles(arap, reference["arap_handles"], reference["arap_handle_positions"], 1000)
    np.testing.assert_allclose(found, reference["arap_spokes_solution_igl"], atol=1e-4)
    assert arap.energy(found) < arap.energy(reference["arap_spokes_and_rims_solution_igl"])


def test_nearest_rotations_are_proper():
    rng = np.random.default_rng(0)
    matrices = rng.normal(size=(50, 3, 3))
    turns = nearest_rotations(matrices)
    np.testing.assert_allclose(turns @ turns.transpose(0, 2, 1), np.broadcast_to(np.eye(3), turns.shape), atol=1e-12)
    np.testing.assert_allclose(np.linalg.det(turns), 1, atol=1e-12)
    kept = (turns * matrices).sum(axis=(1, 2))
    for axis in "xyz":
        assert (kept >= (turns @ rotation(axis, 3.0) * matrices).sum(axis=(1, 2))).all()


def test_negative_weights_are_raised(reference):
    thin = np.array([[0, 0, 0], [1, 0, 0], [0.5, 0.05, 0], [0.5, -0.05, 0]], float)
    faces = np.array([[0, 1, 2], [1, 0, 3]])
    assert Arap.of_mesh(thin, faces, least=None).weights.min() < 0
    assert Arap.of_mesh(thin, faces).weights.min() == pytest.approx(0.05)


def test_solver_backends(reference, arap):
    matrix = arap.laplacian + np.eye(len(arap.rest))
    right = np.random.default_rng(0).normal(size=(len(arap.rest), 3))
    found = Factored(matrix, "scipy").solve(right)
    np.testing.assert_allclose(matrix @ found, right, atol=1e-9)
    with pytest.raises(InputError, match="backend is 'magic'"):
        Factored(matrix, "magic")


def test_cholespy_gives_the_same(reference, arap):
    pytest.importorskip("cholespy", reason="cholespy is an optional accelerator")
    matrix = arap.laplacian + np.eye(len(arap.rest))
    right = np.random.default_rng(0).normal(size=(len(arap.rest), 3))
    np.testing.assert_allclose(Factored(matrix, "cholespy").solve(right), Factored(matrix, "scipy").solve(right))


def test_smooth_rotations_open_a_pleat_sooner():
    """A sheet laid in a pleat, its ends held where they lie when it is flat."""
    across, along = np.meshgrid(np.arange(31.0), np.arange(11.0), indexing="ij")
    corner = (np.arange(30)[:, None] * 11 + np.arange(10)).ravel()
    faces = np.concatenate([corner[:, None] + (0, 11, 12), corner[:, None] + (0, 12, 1)])
    flat = np.stack([across.ravel(), along.ravel(), np.zeros(31 * 11)], axis=1)
    folded = flat.copy()
    folded[:, 0] = np.interp(flat[:, 0], [0, 11, 19, 30], [0, 19, 11, 30])
    folded[:, 2] = 0.3 * np.interp(flat[:, 0], [0, 10, 20, 30], [0, 1, -1, 0])
    held = np.flatnonzero((flat[:, 0] <= 3) | (flat[:, 0] >= 27))
    turned = []
    for smoothness in (0.0, 4.0):
        arap = Arap.of_mesh(flat, faces, smoothness=smoothness)
        found = solve_with_handles(arap, held, flat[held], 4, start=folded)
        turned.append((area_vectors(found, faces)[:, 2] < 0).mean())
    assert turned[0] > 0.1 and turned[1] == 0
    turn = rotation("y", 140.0)
    np.testing.assert_allclose(arap.rotations(flat @ turn.T), np.broadcast_to(turn, (len(flat), 3, 3)), atol=1e-9)
