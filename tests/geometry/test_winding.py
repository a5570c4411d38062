from pathlib import Path

import numpy as np
import pytest
import torch
import trimesh
from safetensors.numpy import load_file

from shapegen4d_core.geometry.columns import column_winding
from shapegen4d_core.geometry.winding import border_cones, grid_inside, weld, winding_number

REFERENCE = Path(__file__).parents[1] / "reference" / "geometry"
CENTRES = (np.arange(18) + 0.5) / 9 - 1
ON_THE_MESH = np.linspace(-1, 1, 17)  # grid lines that run through vertices and edges of the box below


def grid_points(axis):
    return np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), -1).reshape(-1, 3)


@pytest.fixture(scope="module")
def sphere():
    mesh = trimesh.creation.icosphere(2, 0.8)
    return np.asarray(mesh.vertices), np.asarray(mesh.faces)


@pytest.mark.parametrize("group", ["closed", "torus", "open"])
def test_winding_numbers_equal_the_reference(group):
    data = load_file(REFERENCE / "point_mesh.safetensors")
    given = (data[f"{group}.{key}"] for key in ("points", "verts", "faces"))
    expected = data[f"{group}.winding_number_igl"]
    points, vertices, faces = given
    assert np.abs(winding_number(points, vertices, faces) - expected).max() < 1e-6
    assert np.abs(winding_number(points, vertices, faces, torch.float32, 1000) - expected).max() < 1e-3
    assert np.array_equal(winding_number(points, vertices, faces[:0]), np.zeros(len(points)))


def test_columns_equal_solid_angles_on_a_closed_mesh(sphere):
    vertices, faces = sphere
    expected = winding_number(grid_points(CENTRES), vertices, faces)
    assert np.array_equal(column_winding(vertices, faces, CENTRES).reshape(-1), np.round(expected))
    inner = column_winding(*two_layers(vertices, faces), CENTRES)
    assert set(np.unique(inner)) == {0, 1, 2}, "a ball inside a ball winds twice"


def two_layers(vertices, faces):
    return np.concatenate([vertices, vertices / 2]), np.concatenate([faces, faces + len(vertices)])


def test_columns_through_vertices_and_edges_count_once():
    box = trimesh.creation.box((1, 1, 1)).subdivide().subdivide()
    filled = grid_inside(box.vertices, box.faces, ON_THE_MESH)
    assert filled.sum() == 8**3, "half-open: exactly the points from -0.5 on, below 0.5"
    reach = np.abs(grid_points(ON_THE_MESH)).max(1).reshape(filled.shape)
    assert filled[reach < 0.499].all() and not filled[reach > 0.501].any()


@pytest.mark.parametrize("height", [0.7, 0.2])
def test_an_open_mesh_is_filled_like_its_winding_number_says(sphere, height):
    vertices, faces = sphere
    open_faces = faces[vertices[faces].mean(1)[:, 1] < height]
    expected = winding_number(grid_points(CENTRES), vertices, open_faces) > 0.5
    assert np.array_equal(grid_inside(vertices, open_faces, CENTRES).reshape(-1), expected)
    assert expected.any() and len(border_cones(vertices, open_faces)[1]) > 0


def test_seams_of_split_vertices_are_no_holes(sphere):
    vertices, faces = sphere
    split, numbers = vertices[faces].reshape(-1, 3), np.arange(3 * len(faces)).reshape(-1, 3)
    assert len(border_cones(vertices, faces)[1]) == 0 and len(border_cones(split, numbers)[1]) == 3 * len(faces)
    welded = weld(split, numbers)
    assert len(welded[0]) == len(vertices) and len(border_cones(*welded)[1]) == 0
    assert np.array_equal(grid_inside(split, numbers, CENTRES), grid_inside(vertices, faces, CENTRES))


def test_cones_close_every_border_and_borders_stay_apart(sphere):
    vertices, faces = sphere
    middle = np.abs(vertices[faces].mean(1)[:, 1])
    closed, cones = border_cones(vertices, faces[middle < 0.6])
    assert len(closed) == len(vertices) + 2, "one tip per border"
    assert len(border_cones(closed, np.concatenate([faces[middle < 0.6], cones]))[1]) == 0


def test_inside_out_meshes_are_as_solid_and_nothing_is_empty(sphere):
    vertices, faces = sphere
    assert np.array_equal(grid_inside(vertices, faces[:, ::-1], CENTRES), grid_inside(vertices, faces, CENTRES))
    assert not grid_inside(vertices, faces[:0], CENTRES).any()
