"""Clouds, field samples and aligned queries against an independent winding number and the mesh they lie on."""

from dataclasses import replace

import numpy as np
import pytest
import trimesh

from shapegen4d_core.data.curation.edges import edge_list, even_places, sharp_places
from shapegen4d_core.data.curation.placing import place
from shapegen4d_core.data.curation.queries import carried, choose_queries, follow
from shapegen4d_core.data.curation.samples import FrameGeometry, near_points
from shapegen4d_core.data.curation.watertight import SHEET, close_surface
from shapegen4d_core.data.curation.welding import weld
from shapegen4d_core.decoding.grid import Grid
from shapegen4d_core.geometry.winding import winding_number

GRID = Grid(48, 1.05)


def geometry(vertices, faces, number=0):
    closed = close_surface(vertices, faces, GRID, number)
    return FrameGeometry(vertices, faces, closed.vertices, closed.faces, (SHEET + 0.5) * GRID.cell)


@pytest.fixture
def frames(bending):
    placed = place(bending.vertices, bending.faces, np.zeros((4, 3)), np.eye(3), 0.97)
    return [geometry(vertices, bending.faces, t) for t, vertices in enumerate(placed.vertices)]


@pytest.fixture
def edges(bending):
    return edge_list(weld(bending.vertices, bending.faces)[bending.faces])


def test_field_signs_are_those_of_the_winding_number(frames, small):
    rng, frame = np.random.default_rng(0), frames[2]
    samples = frame.field(rng.uniform(-1.05, 1.05, (1500, 3)), 0.1).astype(np.float64)
    inside = winding_number(samples[:, :3], frame.closed_vertices, frame.closed_faces) > 0.5
    assert ((samples[:, 3] > 0) == inside)[samples[:, 3] != 0].all() and 0.02 < inside.mean() < 0.9
    assert np.abs(samples[:, 3]).max() == 1
    near = frame.field(near_points(frame.surface(256, rng), replace(small, near_points=600), rng), 0.1)
    near = near.astype(np.float64)
    inside = winding_number(near[:, :3], frame.closed_vertices, frame.closed_faces) > 0.5
    assert ((near[:, 3] > 0) == inside)[np.abs(near[:, 3]) > 1e-3].all()


def test_the_field_is_the_distance_to_the_animated_solid():
    """A cube knows its own distance: what the closed surface adds is below a tenth of a cell away from its edges."""
    box = trimesh.creation.box((1.2, 1.2, 1.2))
    frame = geometry(np.asarray(box.vertices), np.asarray(box.faces, np.int32))
    points = np.random.default_rng(1).uniform(-0.35, 0.35, (300, 3))
    points[:, 1] = np.linspace(0.45, 0.75, 300)
    samples = frame.field(points, 0.1).astype(np.float64)
    assert np.allclose(samples[:, 3] * 0.1, (0.6 - samples[:, 1]).clip(-0.1, 0.1), atol=0.1 * GRID.cell)


def test_near_points_come_in_two_bands(small):
    flat = np.zeros((50, 6))
    points = near_points(flat, replace(small, near_points=4000, near_deviations=(0.01, 0.2)), np.random.default_rng(0))
    assert points[::2].std() == pytest.approx(0.01, rel=0.1) and points[1::2].std() == pytest.approx(0.2, rel=0.1)


def test_surface_clouds_lie_on_the_mesh_with_its_normals_outward(frames):
    rng, frame = np.random.default_rng(0), frames[1]
    cloud = frame.surface(800, rng)
    found = frame.tree.closest(cloud[:, :3])
    assert np.quantile(found.distance, 0.7) < 0.1 * GRID.cell  # the rest is near edges and in the seam of the knob
    assert np.quantile(found.distance, 0.95) < 0.5 * GRID.cell
    assert np.allclose(np.linalg.norm(cloud[:, 3:], axis=1), 1)
    out = winding_number(cloud[:, :3] + 0.03 * cloud[:, 3:], frame.closed_vertices, frame.closed_faces)
    inward = winding_number(cloud[:, :3] - 0.03 * cloud[:, 3:], frame.closed_vertices, frame.closed_faces)
    assert (out < 0.5).mean() > 0.97 and (inward > 0.5).mean() > 0.97
    half = [np.abs(cloud[rows, :3].mean(0)) for rows in (slice(0, 400), slice(400, 800))]
    assert np.allclose(*half, atol=0.12)  # any prefix is a fair sample


def test_sharp_points_lie_on_sharp_edges_and_smooth_shapes_borrow(edges, frames, small, bending):
    rng, frame = np.random.default_rng(0), frames[0]
    spare = frame.surface(64, rng)
    cloud, share = frame.sharp(edges, small, rng, spare)
    assert cloud.shape == (64, 6) and share == 1
    sides = (np.abs(cloud[:, 3:]) > 0.1).sum(1)
    assert (sides >= 2).mean() > 0.9  # between two sides of the box, or on the seam of the knob
    ball = trimesh.creation.icosphere(3, 0.8)
    faces = np.asarray(ball.faces, np.int32)
    smooth = geometry(np.asarray(ball.vertices), faces)
    cloud, share = smooth.sharp(edge_list(faces), small, rng, spare)
    assert share == 0 and np.array_equal(cloud, spare[:64])


def test_sharp_places_are_on_edges_by_length():
    box = trimesh.creation.box((2.0, 1.0, 1.0)).subdivide()
    vertices, faces = np.asarray(box.vertices), np.asarray(box.faces)
    places = sharp_places(vertices, faces, edge_list(faces), 30.0, 3000, np.random.default_rng(0))
    points, normals = places.on(vertices, faces)
    at_limit = (np.isclose(np.abs(points), [1.0, 0.5, 0.5])).sum(1)
    assert (at_limit >= 2).all()  # every point lies where two sides of the box meet
    along_x = np.abs(points[:, 0]) < 0.999
    assert along_x.mean() == pytest.approx(8 / 16, abs=0.04)
    assert np.allclose(np.abs(normals[along_x][:, 1:]), np.sqrt(0.5))
    assert len(sharp_places(vertices, faces, edge_list(faces), 120.0, 50, np.random.default_rng(0))) == 0
    sheet = np.array([[0, 1, 2]])
    assert len(sharp_places(vertices, sheet, edge_list(sheet), 120.0, 50, np.random.default_rng(0))) == 50  # a border


def test_even_places_are_even_by_area():
    vertices = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 5], [3, 0, 5], [0, 1, 5]])
    places = even_places(vertices, np.array([[0, 1, 2], [3, 4, 5]]), 4000, np.random.default_rng(0))
    assert (places.face == 1).mean() == pytest.approx(0.75, abs=0.01)
    assert np.allclose(places.barycentric.mean(0), 1 / 3, atol=0.02) and (places.barycentric >= 0).all()


def test_queries_are_carried_by_the_animation_with_outward_normals(frames, edges, small, bending):
    queries = choose_queries(frames[0], edges, small, np.random.default_rng(0))
    assert (len(queries.even), len(queries.sharp)) == (48, 16)
    rows = carried([follow(queries.even, frame) for frame in frames])
    assert rows.shape == (4, 48, 6)
    for t, frame in enumerate(frames):
        corners = frame.vertices[bending.faces[queries.even.face]]
        assert np.allclose(rows[t, :, :3], (corners * queries.even.barycentric[..., None]).sum(1))
        outside = winding_number(rows[t, :, :3] + 0.05 * rows[t, :, 3:], frame.closed_vertices, frame.closed_faces)
        assert (outside < 0.5).mean() > 0.9
    assert np.linalg.norm(rows[3, :, :3] - rows[0, :, :3], axis=1).max() > 0.3


def test_any_prefix_of_the_queries_is_spread_over_the_surface(frames, edges, small):
    queries = choose_queries(frames[0], edges, small, np.random.default_rng(0))
    points, _ = queries.even.on(frames[0].vertices, frames[0].faces)
    for count in (8, 24):
        gaps = np.linalg.norm(points[:count, None] - points[None, :count], axis=-1) + np.eye(count) * 9
        later = np.linalg.norm(points[count:, None] - points[None, :count], axis=-1).min(1)
        assert gaps.min() >= later.max() - 1e-9


def test_inner_places_are_not_chosen(small):
    outer, inner = trimesh.creation.icosphere(3, 0.9), trimesh.creation.icosphere(3, 0.6)
    both = trimesh.util.concatenate([outer, inner])
    frame = geometry(np.asarray(both.vertices), np.asarray(both.faces, np.int32))
    edges = edge_list(frame.faces)
    queries = choose_queries(frame, edges, small, np.random.default_rng(0))
    for places in (queries.even, queries.sharp):
        assert (np.linalg.norm(places.on(frame.vertices, frame.faces)[0], axis=1) > 0.8).all()
    assert queries.outer_share == pytest.approx(0.81 / (0.81 + 0.36), abs=0.05)


@pytest.mark.parametrize("case", ["inverted", "half inverted"])
def test_normals_look_outward_whatever_the_faces_say(case, small):
    ball = trimesh.creation.icosphere(3, 0.8)
    faces = np.asarray(ball.faces, np.int32).copy()
    rows = slice(None) if case == "inverted" else slice(0, None, 2)
    faces[rows] = faces[rows, ::-1]
    frame = geometry(np.asarray(ball.vertices), faces)
    queries = choose_queries(frame, edge_list(faces), small, np.random.default_rng(0))
    for cloud in (carried([follow(queries.even, frame)])[0], frame.surface(200, np.random.default_rng(0))):
        assert (np.einsum("pi,pi->p", cloud[:, :3], cloud[:, 3:]) > 0.7).all()


def test_both_sides_of_a_sheet_are_one_side_of_its_queries(small):
    sheet = trimesh.Trimesh([[-0.8, 0, -0.8], [0.8, 0, -0.8], [0.8, 0, 0.8], [-0.8, 0, 0.8]], [[0, 2, 1], [0, 3, 2]])
    frame = geometry(np.asarray(sheet.vertices), np.asarray(sheet.faces, np.int32))
    queries = choose_queries(frame, edge_list(frame.faces), small, np.random.default_rng(0))
    assert np.allclose(carried([follow(queries.even, frame)] * 2)[..., 3:], [0, 1, 0])
    walls = frame.surface(400, np.random.default_rng(0))
    assert 0.3 < (walls[:, 4] > 0.9).mean() < 0.7 and 0.3 < (walls[:, 4] < -0.9).mean() < 0.7
