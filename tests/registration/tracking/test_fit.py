"""One mesh to one surface: the reference pairs, and each ingredient on its own."""

from __future__ import annotations

import numpy as np
import pytest

from shapegen4d_core.geometry.distances import chamfer_distance
from shapegen4d_core.geometry.mesh import area_vectors, drop_unused_vertices
from shapegen4d_core.geometry.surface_points import sample_surface
from shapegen4d_core.registration.tracking.elastic import Stepper
from shapegen4d_core.registration.tracking.fit import Fitter, MeshBody, similar
from shapegen4d_core.registration.tracking.graph import Graph, GraphBody
from shapegen4d_core.registration.tracking.parts import match_parts
from shapegen4d_core.registration.tracking.settings import TrackSettings
from shapegen4d_core.registration.tracking.surface import Pairs, Target, Template, closest_pairs
from tests.registration.tracking.conftest import mesh_of, union


def fitted(pair, settings, prefix):
    source, faces, target, target_faces = (
        pair[f"{prefix}.{name}"] for name in ("source_verts", "source_faces", "target_verts", "target_faces")
    )
    fitter = Fitter(Template(source, faces, settings.samples, 0), settings)
    return fitter.fit(source, fitter.target(target, target_faces, 1))


@pytest.mark.parametrize(("name", "error", "distance"), [("mild", 1.3, 0.45), ("strong", 2.7, 0.5)])
def test_reference_pairs(golden, name, error, distance):
    pair = golden("registration")
    quick = TrackSettings(samples=4000, iterations=20, coarse_iterations=10)
    found, truth = fitted(pair, quick, name), pair[f"{name}.truth_moved_source"]
    target, faces = pair[f"{name}.target_verts"], pair[f"{name}.source_faces"]
    diagonal = np.linalg.norm(np.ptp(target, axis=0))
    assert 100 * np.linalg.norm(found - truth, axis=1).mean() / diagonal <= error
    assert ((area_vectors(found, faces) * area_vectors(truth, faces)).sum(axis=1) < 0).mean() <= 0.002
    clouds = sample_surface(found, faces, 20000, 1), sample_surface(target, pair[f"{name}.target_faces"], 20000, 2)
    assert 100 * chamfer_distance(*clouds) / 2 / diagonal <= distance


def test_large_steps_get_there_too(golden):
    pair = golden("registration")
    found = fitted(pair, TrackSettings(solver="large-steps", coarse_iterations=0, samples=1500, iterations=8), "mild")
    truth, target = pair["mild.truth_moved_source"], pair["mild.target_verts"]
    error = 100 * np.linalg.norm(found - truth, axis=1).mean() / np.linalg.norm(np.ptp(target, axis=0))
    assert error < 0.75 * float(pair["mild.start_mean_error_percent_of_diagonal"][0])


@pytest.fixture(scope="module")
def body(bending):
    vertices, faces = (frames[0] for frames in (bending(1).meshes.vertices, bending(1).meshes.faces))
    return vertices.astype(float), faces


def test_similarity_is_found_from_identity(body):
    vertices, faces = body
    turn = np.array([[np.cos(0.3), -np.sin(0.3), 0], [np.sin(0.3), np.cos(0.3), 0], [0, 0, 1]])
    moved = 1.1 * vertices @ turn.T + (0.1, 0.05, -0.05)
    template = Template(vertices, faces, 3000, 0)
    target = Target.of_mesh(moved.astype(np.float32), faces, 3000, 0.2, 1)
    found = similar(vertices, template, target)
    assert np.linalg.norm(found - moved, axis=1).mean() < 0.15 * np.linalg.norm(vertices - moved, axis=1).mean()


def exact_pairs(template, vertices, goal):
    """Every sample with its own place on the goal."""
    count = template.to_samples.shape[0]
    normals = template.sample_normals(goal)
    return Pairs(np.arange(count), template.samples(goal), normals, np.full(count, 1 / count), np.zeros(count))


@pytest.mark.parametrize("kind", ["mesh", "graph"])
def test_a_rigid_motion_is_reached_exactly_whatever_the_stiffness(body, kind):
    vertices, faces = body
    turn = np.array([[np.cos(0.7), np.sin(0.7), 0], [-np.sin(0.7), np.cos(0.7), 0], [0, 0, 1]])
    goal = vertices @ turn.T + (0.2, 0, 0.1)
    template = Template(vertices, faces, 2000, 0)
    pairs = exact_pairs(template, vertices, goal)
    if kind == "mesh":
        elastic, nodes = MeshBody(template, (vertices, 1.0)), vertices
    else:
        graph = Graph(vertices, faces, 60)
        elastic, nodes = GraphBody(graph, vertices, template.to_samples), vertices[graph.nodes]
    stepper = Stepper(elastic, 0.3)
    for _ in range(60):
        nodes = stepper.step(nodes, pairs, 0.1)
    found = nodes if kind == "mesh" else elastic.vertices(nodes)
    assert np.abs(found - goal).max() < 2e-3


def test_a_step_lowers_the_energy(body):
    vertices, faces = body
    template = Template(vertices, faces, 2000, 0)
    goal = vertices * (1.2, 0.9, 1.0)
    pairs, elastic = exact_pairs(template, vertices, goal), MeshBody(template, (vertices, 1.0))
    plane, stiffness = 0.3, 0.01

    def energy(points):
        gap = template.samples(points) - pairs.point
        along = (gap * pairs.normal).sum(axis=1)
        fit = (pairs.weight * (plane * along**2 + (1 - plane) * (gap**2).sum(axis=1))).sum()
        return fit + stiffness * elastic.arap.energy(points) / 2

    stepper, points, values = Stepper(elastic, plane), vertices, [energy(vertices)]
    for _ in range(5):
        points = stepper.step(points, pairs, stiffness)
        values.append(energy(points))
    assert (np.diff(values) < 0).all() and values[-1] < 0.2 * values[0]


def test_a_graph_carries_its_own_shape_exactly_and_never_across_a_gap():
    vertices, faces = mesh_of(union([((-0.36, 0, 0), 0.3), ((0.36, 0, 0), 0.3)]), 40)
    graph = Graph(vertices, faces, 40)
    body = GraphBody(graph, vertices.astype(float), Template(vertices, faces, 500, 0).to_samples)
    np.testing.assert_allclose(body.vertices(vertices[graph.nodes].astype(float)), vertices, atol=1e-6)
    np.testing.assert_allclose(graph.carry.sum(axis=1), 1)
    left = vertices[:, 0] < 0
    across = graph.carry[left][:, vertices[graph.nodes, 0] > 0]
    assert across.nnz == 0 or across.max() < 1e-6
    assert 5 < left[graph.nodes].sum() < 35


def test_pairs_ignore_the_other_side_of_a_thin_sheet(body):
    """Normals decide: the upper side of a plate finds the upper side of a plate that is moved by its thickness."""
    low, high = np.array([0.0, 0, 0]), np.array([0, 0, 0.05])
    grid = np.stack(np.meshgrid(np.linspace(-1, 1, 40), np.linspace(-1, 1, 40)), -1).reshape(-1, 2)
    flat = np.c_[grid, np.zeros(len(grid))]
    points = np.concatenate([flat + low, flat + high])
    up = np.array([0, 0, 1.0])
    normals = np.concatenate([np.tile(-up, (len(flat), 1)), np.tile(up, (len(flat), 1))])
    target = Target(points + 0.04 * up, normals, 0.2, len(points))
    pairs = closest_pairs(points, normals, target)
    counted = pairs.weight > 0
    assert counted.all() and np.abs(pairs.distance - 0.04).max() < 1e-6
    careless = closest_pairs(points, normals, Target(points + 0.04 * up, normals, 0.0, len(points)))
    assert (careless.weight == 0).mean() > 0.2


def test_parts_may_grow_without_being_stretched():
    """The left ball doubles; rigidity against its old size would keep it smaller than it is."""
    vertices, faces = mesh_of(union([((-0.5, 0, 0), 0.2), ((0.4, 0, 0), 0.25)]), 32)
    goal, goal_faces = mesh_of(union([((-0.45, 0, 0), 0.4), ((0.5, 0, 0), 0.25)]), 32, shift=0.4)
    settings = TrackSettings(samples=1500, iterations=8, coarse_iterations=4, nodes=40, stiffness=(0.1, 0.01))
    fitter = Fitter(Template(vertices, faces, settings.samples, 0), settings)
    found = fitter.fit(vertices, fitter.target(goal, goal_faces, 1))
    left = vertices[:, 0] < 0
    radius = np.linalg.norm(found[left] - (-0.45, 0, 0), axis=1)
    assert radius.mean() == pytest.approx(0.4, abs=0.01)
    assert np.linalg.norm(found[~left] - (vertices[~left] + (0.1, 0, 0)), axis=1).mean() < 0.02
    alone = match_parts(vertices[left], Template(*drop_unused_vertices(vertices, faces[left[faces[:, 0]]]), 500, 0),
                        fitter.target(goal, goal_faces, 1))  # fmt: skip
    assert alone is None
