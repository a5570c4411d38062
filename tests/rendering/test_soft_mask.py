"""The soft mask is close to the true coverage, and so are its gradients; the fast way equals the plain one."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import trimesh
from torch.nn.functional import cosine_similarity, normalize

from shapegen4d_core.rendering import rasterise, soft_mask
from shapegen4d_core.rendering.edges import mesh_edges
from tests.rendering.plain_mask import plain_soft_mask

SIZE = (32, 32)


@pytest.fixture
def data(golden) -> dict[str, torch.Tensor]:
    """The golden scene; cameras and weights in float64, vertices in float32."""
    return {key: torch.from_numpy(array) for key, array in golden("silhouette").items()}


def pose(parameters: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """R and t of (yaw, pitch, radius, look-at) in the world of the golden data, z up; differentiable."""
    yaw, pitch, radius = parameters[:3]
    eye = radius * torch.stack([yaw.sin() * pitch.cos(), yaw.cos() * pitch.cos(), pitch.sin()])
    forward = normalize(parameters[3:] - eye, dim=0)
    right = normalize(torch.linalg.cross(parameters.new_tensor([0, 0, -1.0]), forward), dim=0)
    rotation = torch.stack([right, torch.linalg.cross(forward, right), forward])
    return rotation, -rotation @ eye


def near(value: torch.Tensor, expected: torch.Tensor) -> tuple[float, float]:
    """Relative error and cosine of a gradient."""
    value = value.to(expected)
    return float((value - expected).norm() / expected.norm()), float(cosine_similarity(value, expected, dim=0))


def test_golden_coverage_and_gradients(data):
    vertices = data["verts"].requires_grad_()
    parameters = data["params_yaw_pitch_r_lookat"].requires_grad_()
    rotation, translation = pose(parameters)
    torch.testing.assert_close(rotation, data["R"], atol=1e-6, rtol=0)
    mask = soft_mask(vertices, data["faces"], data["K"], rotation, translation, SIZE)
    assert float((mask.detach() - data["coverage16"]).abs().mean()) <= 0.006
    assert 0 <= float(mask.detach().min()) and float(mask.detach().max()) <= 1
    area = (mask * data["weights"]).sum()
    assert area.item() == pytest.approx(float(data["weighted_area"]), rel=0.005)
    area.backward()
    error, cosine = near(parameters.grad, data["grad_params_fd"])
    assert error <= 0.15 and cosine >= 0.99
    along = (vertices.grad * data["vertex_directions"]).sum(dim=(1, 2))
    error, cosine = near(along, data["grad_vertex_directions_fd"])
    assert error <= 0.15 and cosine >= 0.99


def shape(name: str) -> tuple[torch.Tensor, torch.Tensor]:
    """A float64 shape: closed, with a hole, in parts that hide each other, open."""
    if name == "torus":
        mesh = trimesh.creation.torus(0.5, 0.2, 20, 12)
    elif name == "parts":
        balls = [trimesh.creation.icosphere(2, radius=0.4).apply_translation((x, 0.1 * x, x)) for x in (-0.3, 0.3)]
        mesh = trimesh.util.concatenate(balls)
    else:
        mesh = trimesh.creation.icosphere(2, radius=0.7)
        mesh.update_faces(mesh.triangles_center[:, 2] < 0.3)
    return torch.from_numpy(np.array(mesh.vertices)), torch.from_numpy(np.array(mesh.faces))


SHAPES = ("torus", "parts", "open")
INTRINSICS = torch.tensor([[40.0, 0, 15.2], [0, 44, 14.3], [0, 0, 1]], dtype=torch.float64)
PARAMETERS = torch.tensor([0.7, 0.4, 2.6, 0.05, -0.02, 0.03], dtype=torch.float64)


@pytest.mark.parametrize("name", SHAPES)
def test_fast_and_plain_masks_agree(name):
    vertices, faces = shape(name)
    camera = (INTRINSICS, *pose(PARAMETERS))
    hard = rasterise(vertices, faces, *camera, (28, 32)).face_id >= 0
    plain = plain_soft_mask(*(given.numpy() for given in (vertices, faces, *camera, hard)))
    assert (np.abs(plain - hard.numpy()) > 0.01).sum() > 30 and plain.min() >= 0 and plain.max() <= 1
    np.testing.assert_allclose(soft_mask(vertices, faces, *camera, (28, 32)).numpy(), plain, atol=1e-9)


@pytest.mark.parametrize("name", SHAPES)
def test_gradients_are_those_of_the_mask_itself(name):
    """Finite differences so small that no pixel centre changes sides, in all of vertices, R and t at once."""
    vertices, faces = shape(name)
    rotation, translation = pose(PARAMETERS)
    weights = torch.rand(SIZE, dtype=torch.float64)
    given = [value.clone().requires_grad_() for value in (vertices, rotation, translation)]

    def area(vertices, rotation, translation):
        return (soft_mask(vertices, faces, INTRINSICS, rotation, translation, SIZE) * weights).sum()

    area(*given).backward()
    for position in range(3):
        step = torch.randn_like(given[position]) * 1e-7
        moved = [[*given[:position], given[position] + sign * step, *given[position + 1 :]] for sign in (1, -1)]
        difference = (area(*moved[0]) - area(*moved[1])).detach() / 2
        torch.testing.assert_close((given[position].grad * step).sum(), difference, rtol=1e-4, atol=1e-12)
        assert abs(float(difference)) > 1e-9


def test_many_views_are_what_each_is_alone_and_edges_may_be_kept(data):
    vertices, faces, weights = data["verts"], data["faces"], torch.rand(3, *SIZE)
    poses = [pose(data["params_yaw_pitch_r_lookat"] + 0.2 * i) for i in range(3)]
    rotations, translations = (torch.stack(parts).float().requires_grad_() for parts in zip(*poses))
    moving = torch.stack([vertices * (1 + 0.05 * i) for i in range(3)])
    for meshes in (vertices, moving):
        many = soft_mask(meshes, faces, data["K"], rotations, translations, SIZE, edges=mesh_edges(faces))
        alone = torch.stack([
            soft_mask(meshes if meshes.dim() == 2 else meshes[i], faces, data["K"], rotations[i], translations[i], SIZE)
            for i in range(3)
        ])
        assert torch.equal(many, alone)
        gradients = [torch.autograd.grad((mask * weights).sum(), rotations)[0] for mask in (many, alone)]
        torch.testing.assert_close(*gradients, rtol=1e-4, atol=1e-4)


def test_nothing_in_view_is_an_empty_mask_with_zero_gradients():
    vertices, faces = shape("torus")
    vertices = vertices.requires_grad_()
    behind = soft_mask(vertices, faces, INTRINSICS, torch.eye(3), torch.tensor([0.0, 0, -5]), SIZE)
    behind.sum().backward()
    assert float(behind.detach().abs().max()) == 0 and float(vertices.grad.abs().max()) == 0
    nothing = torch.zeros(0, 3)
    none = soft_mask(nothing, nothing.long(), INTRINSICS, torch.eye(3), torch.ones(3), SIZE)
    assert float(none.abs().max()) == 0


def test_edges_know_their_faces():
    faces = torch.tensor([[0, 1, 2], [2, 1, 3], [1, 2, 4]])  # three faces on the edge 1-2
    edges = mesh_edges(faces)
    found = {tuple(end): sorted(apex) for end, apex in zip(edges.ends.tolist(), edges.apexes.tolist())}
    assert len(found) == 7 and found[(1, 2)][0] == found[(1, 2)][1] and found[(0, 1)] == [2, 2]
    two = mesh_edges(faces[:2])
    found = {tuple(end): sorted(apex) for end, apex in zip(two.ends.tolist(), two.apexes.tolist())}
    assert len(found) == 5 and found[(1, 2)] == [0, 3]


def test_edges_at_exactly_45_degrees_count_once():
    vertices = torch.tensor([[0.6, 0, 2.0], [0, 0.6, 2], [-0.6, 0, 2], [0, -0.6, 2]], dtype=torch.float64)
    faces = torch.tensor([[0, 1, 2], [0, 2, 3]])
    camera = (torch.tensor([[32.0, 0, 16.25], [0, 32, 16.25], [0, 0, 1]], dtype=torch.float64),)
    camera += (torch.eye(3, dtype=torch.float64), torch.zeros(3, dtype=torch.float64))
    mask = soft_mask(vertices, faces, *camera, SIZE)
    assert float(mask.sum()) == pytest.approx(2 * (0.6 * 16) ** 2, rel=2e-3)  # half the product of its diagonals
