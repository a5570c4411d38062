"""Interpolated attributes: those of the point the ray hits, with exact gradients."""

from __future__ import annotations

import torch
import trimesh

from shapegen4d_core.rendering import interpolate, rasterise, rasterise_views
from shapegen4d_core.rendering.raster import to_camera

INTRINSICS = torch.tensor([[30.0, 0, 12.1], [0, 33, 11.7], [0, 0, 1]], dtype=torch.float64)
TURN = torch.tensor([[0.8, 0, 0.6], [0, 1, 0], [-0.6, 0, 0.8]], dtype=torch.float64)
SHIFT = torch.tensor([0.1, -0.05, 2.5], dtype=torch.float64)
SIZE = (24, 25)


def ball() -> tuple[torch.Tensor, torch.Tensor]:
    """A coarse ball in float64."""
    mesh = trimesh.creation.icosphere(2, radius=0.7)
    return torch.from_numpy(mesh.vertices.copy()), torch.from_numpy(mesh.faces.copy())


def test_the_position_as_attribute_projects_to_the_pixel_itself():
    vertices, faces = ball()
    raster = rasterise(vertices, faces, INTRINSICS, TURN, SHIFT, SIZE)
    in_camera = vertices @ TURN.T + SHIFT
    points = interpolate(in_camera, in_camera, faces, raster, INTRINSICS)
    seen = raster.face_id >= 0
    pixels = points[seen] @ INTRINSICS.T
    row, column = seen.nonzero().T
    torch.testing.assert_close(pixels[:, 0] / pixels[:, 2], column + 0.5, check_dtype=False)
    torch.testing.assert_close(pixels[:, 1] / pixels[:, 2], row + 0.5, check_dtype=False)
    torch.testing.assert_close(points[..., 2][seen], raster.depth[seen])
    assert int(seen.sum()) > 100 and bool((points[~seen] == 0).all())


def test_gradients_in_attributes_and_vertices():
    vertices, faces = ball()
    in_camera = (vertices @ TURN.T + SHIFT).requires_grad_()
    attributes = torch.rand(len(vertices), 2, dtype=torch.float64).requires_grad_()
    raster = rasterise(vertices, faces, INTRINSICS, TURN, SHIFT, SIZE)
    weights = torch.rand(*SIZE, 2, dtype=torch.float64)

    def total(attributes, in_camera):
        return (interpolate(attributes, in_camera, faces, raster, INTRINSICS) * weights).sum()

    assert torch.autograd.gradcheck(total, (attributes, in_camera), fast_mode=True)


def test_views_in_one_call():
    vertices, faces = ball()
    rotations, translations = torch.stack([TURN, torch.eye(3).double()]), torch.stack([SHIFT, SHIFT + 0.2])
    raster = rasterise_views(vertices, faces, INTRINSICS, rotations, translations, SIZE)
    in_camera = to_camera(vertices, rotations, translations)
    attributes = torch.rand(2, len(vertices), 3, dtype=torch.float64)
    many = interpolate(attributes, in_camera, faces, raster, INTRINSICS)
    assert many.shape == (2, *SIZE, 3)
    for i in range(2):
        one = rasterise(vertices, faces, INTRINSICS, rotations[i], translations[i], SIZE)
        assert torch.equal(many[i], interpolate(attributes[i], in_camera[i], faces, one, INTRINSICS))
