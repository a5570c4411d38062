"""Meshes from grids: closed, outward, in the right place, whatever the values."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st

from shapegen4d_core.decoding.dense import Dense
from shapegen4d_core.decoding.grid import Grid, GridSample
from shapegen4d_core.decoding.memory import ChunkedField
from shapegen4d_core.decoding.surface import extract_surface, inspect_surface
from shapegen4d_core.geometry.mesh import enclosed_volume, is_closed, vertex_normals


def mesh_of(field, resolution, bounds=1.05):
    return extract_surface(Dense(Grid(resolution, bounds))(ChunkedField(field, 1 << 16)))


def mesh_of_values(values):
    values = torch.as_tensor(values, dtype=torch.float32)
    return extract_surface(GridSample(Grid(values.shape[0] - 1, 1.0), values, values.numel()))


def test_ball_is_where_it_should_be(shapes):
    centre, radius = (0.2, -0.1, 0.3), 0.5
    vertices, faces = mesh_of(shapes.field(shapes.ball(centre, radius), 0.2), 48)
    assert vertices.dtype == np.float32 and faces.dtype == np.int32
    distances = np.linalg.norm(vertices - np.array(centre), axis=1)
    assert np.abs(distances - radius).max() < 2e-3
    assert enclosed_volume(vertices, faces) == pytest.approx(4 / 3 * np.pi * radius**3, rel=0.01)
    outward = (vertices - np.array(centre)) / distances[:, None]
    assert (vertex_normals(vertices, faces) * outward).sum(1).min() > 0.98


def test_report(shapes):
    parts = shapes.union(shapes.shell((-0.4, 0.0, 0.0), 0.4, 0.2), shapes.torus(0.7, 0.1))
    report = inspect_surface(*mesh_of(shapes.field(parts, 0.1), 64))
    assert report.components == 2 and report.closed and report.edge_manifold and report.volume > 0
    mesh = trimesh.Trimesh(*mesh_of(shapes.field(parts, 0.1), 64), process=False)
    assert mesh.is_watertight and mesh.is_winding_consistent
    assert report.volume == pytest.approx(mesh.volume, rel=1e-6)
    assert (report.vertices, report.faces) == (len(mesh.vertices), len(mesh.faces))


def test_hollows_count_against_the_volume(shapes):
    vertices, faces = mesh_of(shapes.field(shapes.shell((0.0, 0.0, 0.0), 0.6, 0.3), 0.2), 48)
    expected = 4 / 3 * np.pi * (0.75**3 - 0.45**3)
    assert enclosed_volume(vertices, faces) == pytest.approx(expected, rel=0.01)
    assert inspect_surface(vertices, faces).components == 2


@pytest.mark.parametrize("value", [0.0, -0.0, 1e-9, -1e-9])
def test_grid_vertices_on_the_surface(value):
    """A cube whose faces pass exactly through grid vertices: no hole, no triangle without area."""
    values = np.full((12, 12, 12), -1.0)
    values[3:9, 3:9, 3:9] = value
    values[4:8, 4:8, 4:8] = 1.0
    vertices, faces = mesh_of_values(values)
    report = inspect_surface(vertices, faces)
    assert report.closed and report.edge_manifold and report.volume > 0 and report.components == 1
    assert len(np.unique(vertices, axis=0)) == len(vertices)
    assert trimesh.Trimesh(vertices, faces, process=True).is_watertight
    assert vertices.max() - vertices.min() == pytest.approx(5 * 2 / 11, rel=1e-3)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10**6), kind=st.sampled_from(["noise", "signs", "zeros"]))
def test_any_values_give_a_closed_outward_mesh(seed, kind):
    """Also noise, saturated values, exact zeros, and shapes that reach the box."""
    random = np.random.default_rng(seed)
    values = random.uniform(-1, 1, (9, 9, 9))
    if kind == "signs":
        values = np.sign(values)
    if kind == "zeros":
        values[random.random(values.shape) < 0.3] = 0
    vertices, faces = mesh_of_values(values)
    assert is_closed(faces)
    assert np.isfinite(vertices).all()
    assert enclosed_volume(vertices, faces) > 0


def test_shape_cut_by_the_box_is_capped():
    """A full box becomes a closed one at most half a cell larger on each side."""
    values = np.ones((9, 9, 9))
    vertices, faces = mesh_of_values(values)
    report = inspect_surface(vertices, faces)
    assert report.closed and report.edge_manifold and report.components == 1
    assert np.abs(vertices).max() == pytest.approx(1 + 0.5 * 2 / 8)
    values[:, :, :4] = -1
    assert inspect_surface(*mesh_of_values(values)).closed


def test_nothing_inside():
    vertices, faces = mesh_of_values(np.full((9, 9, 9), -1.0))
    assert vertices.shape == (0, 3) and faces.shape == (0, 3)
    report = inspect_surface(vertices, faces)
    assert report.closed and report.components == 0 and report.volume == 0


def test_a_single_inside_vertex_is_a_closed_speck():
    values = np.full((9, 9, 9), -1.0)
    values[0, 4, 8] = 0.5
    vertices, faces = mesh_of_values(values)
    assert len(vertices) == 6 and len(faces) == 8 and is_closed(faces)
    np.testing.assert_allclose(vertices.mean(0), [-1, 0, 1], atol=1e-6)
