"""Large steps against the published package: the matrix, the change of variables, gradients and whole steps."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from shapegen4d_core.geometry.laplacian import combinatorial_laplacian, cotangent_laplacian
from shapegen4d_core.geometry.large_steps import AdamUniform, LargeSteps, preconditioner

RATES = {19: 0.03, 99: 0.1}


@pytest.fixture
def reference(golden):
    return golden("large_steps")


def dense(reference, name, values=None):
    matrix = np.zeros((len(reference["verts"]),) * 2)
    rows, columns = reference[f"{name}_indices"]
    matrix[rows, columns] = reference[values or f"{name}_values"]
    return matrix


def steps(reference, strength):
    laplacian = combinatorial_laplacian(reference["faces"], len(reference["verts"]))
    return LargeSteps(preconditioner(laplacian, strength))


def test_matrices(reference):
    size = len(reference["verts"])
    laplacian = combinatorial_laplacian(reference["faces"], size)
    for strength in RATES:
        np.testing.assert_allclose(
            preconditioner(laplacian, strength).toarray(), dense(reference, f"M_{strength}"), rtol=1e-6
        )
    mixed = 0.05 * np.eye(size) + 0.95 * laplacian.toarray()
    np.testing.assert_allclose(mixed, dense(reference, "M_99", "M_alpha0.95_values"), rtol=1e-5, atol=1e-7)
    cotangent = 2 * cotangent_laplacian(reference["verts"], reference["faces"])  # published weights are not halved
    expected = dense(reference, "M_cot19")
    np.testing.assert_allclose(preconditioner(cotangent, 19).toarray(), expected, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("strength", RATES)
def test_there_and_back(reference, strength):
    change = steps(reference, strength)
    parameters = change.to_parameters(torch.from_numpy(reference["verts"]))
    np.testing.assert_allclose(parameters.detach(), reference[f"u_{strength}"], rtol=1e-5, atol=3e-5)
    np.testing.assert_allclose(change.to_vertices(parameters).detach(), reference["verts"], atol=1e-5)
    np.testing.assert_allclose(change.to_vertices(parameters).detach(), reference[f"v_roundtrip_{strength}"], atol=1e-5)


@pytest.mark.parametrize("strength", RATES)
def test_ten_steps(reference, strength):
    change, target = steps(reference, strength), torch.from_numpy(reference["target"])
    parameters = change.to_parameters(torch.from_numpy(reference["verts"]))
    optimiser = AdamUniform([parameters], lr=RATES[strength])
    for step in range(1, 11):
        optimiser.zero_grad()
        loss = ((change.to_vertices(parameters) - target) ** 2).sum(dim=1).mean()
        loss.backward()
        if step == 1:
            expected = reference[f"grad_u_{strength}_step1"]
            np.testing.assert_allclose(parameters.grad, expected, atol=2e-4 * np.abs(expected).max())
        if step in (1, 2, 10):
            expected = float(reference[f"loss_{strength}_before_step{step}"])
            assert loss.item() == pytest.approx(expected, rel=1e-3)
        optimiser.step()
        if step in (1, 2, 10):
            found = change.to_vertices(parameters).detach()
            np.testing.assert_allclose(found, reference[f"verts_{strength}_after{step}"], atol=1e-4)
            np.testing.assert_allclose(parameters.detach(), reference[f"u_{strength}_after{step}"], atol=1e-4)


def test_gradients_by_differences():
    faces = np.array([[0, 1, 2], [0, 2, 3], [0, 3, 1], [1, 3, 2]])
    change = LargeSteps(preconditioner(combinatorial_laplacian(faces, 4), 5.0))
    parameters = torch.randn(4, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(change.to_vertices, parameters)


def test_one_moment_for_all_keeps_the_direction_of_a_step():
    values = torch.zeros(5, 3, requires_grad=True)
    gradient = torch.randn(5, 3)
    values.grad = gradient.clone()
    AdamUniform([values], lr=0.1).step()
    moved = -values.detach()
    torch.testing.assert_close(moved / moved.norm(), gradient / gradient.norm())
    assert moved.abs().max() == pytest.approx(0.1, rel=1e-4)
