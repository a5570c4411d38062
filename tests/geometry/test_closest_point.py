"""Nearest points and signed distances against published values and brute force."""

from pathlib import Path

import numpy as np
import pytest
import trimesh
from safetensors.numpy import load_file

from shapegen4d_core.geometry.closest_point import MeshTree
from shapegen4d_core.geometry.signed_distance import ClosedMesh

GOLDEN = Path(__file__).parents[1] / "reference" / "geometry" / "point_mesh.safetensors"


@pytest.fixture(scope="module")
def golden():
    return load_file(GOLDEN)


@pytest.mark.parametrize("group", ["closed", "torus", "open"])
def test_distances_and_nearest_points_are_those_of_libigl(golden, group):
    case = {key.split(".")[1]: value for key, value in golden.items() if key.startswith(group)}
    tree = MeshTree(case["verts"], case["faces"])
    found = tree.closest(case["points"])
    assert np.allclose(found.distance**2, case["sqdist_igl"], rtol=1e-9, atol=1e-12)
    assert np.allclose(tree.positions(found), case["closest_igl"], atol=1e-9)
    assert np.allclose(found.barycentric.sum(1), 1) and (found.barycentric > -1e-12).all()


def test_signs_are_those_of_the_winding_number(golden):
    signed, _ = ClosedMesh(golden["torus.verts"], golden["torus.faces"]).signed(golden["torus.points"])
    assert ((signed > 0) == (golden["torus.winding_number_igl"] > 0.5)).all()
    assert np.allclose(signed**2, golden["torus.sqdist_igl"], rtol=1e-6)


def test_signs_hold_at_sharp_corners_and_edges():
    """Nearest faces alone would get these wrong: the points see a spike's edges and tips, not its faces."""
    spike = trimesh.creation.cone(0.1, 1.0, sections=5)
    points = np.random.default_rng(0).uniform(-1, 1.5, (3000, 3))
    mesh = ClosedMesh(spike.vertices, np.asarray(spike.faces, np.int32))
    inside = mesh.signed(points)[0] > 0
    corners = spike.triangles
    apex, base = spike.vertices[:, 2].max(), spike.vertices[:, 2].min()
    outside_planes = ((points[:, None] - corners[None, :, 0]) * spike.face_normals).sum(-1).max(1)
    assert (inside == (outside_planes < 0)).all() and apex > base
    edge_points = corners.reshape(-1, 3)[:40] * 1.2 + np.array([0, 0, 0.1])
    outside = ((edge_points[:, None] - corners[None, :, 0]) * spike.face_normals).sum(-1).max(1) > 0
    assert ((mesh.signed(edge_points)[0] < 0) == outside).all() and outside.any()


def test_any_triangles_agree_with_brute_force():
    rng = np.random.default_rng(1)
    corners = rng.normal(size=(57, 3, 3)) * 10.0 ** rng.uniform(-3, 0, (57, 1, 1)) + rng.normal(size=(57, 1, 3))
    corners[3, 2] = corners[3, 1]  # a needle
    corners[4] = corners[4, 0]  # a point
    vertices, faces = corners.reshape(-1, 3), np.arange(171).reshape(-1, 3)
    points = rng.normal(size=(60, 3))
    found = MeshTree(vertices, faces).closest(points)
    steps = np.linspace(0, 1, 40)
    s, t = np.meshgrid(steps, steps)
    keep = s + t <= 1
    s, t = s[keep][:, None], t[keep][:, None]
    samples = corners[:, None, 0] * (1 - s - t) + corners[:, None, 1] * s + corners[:, None, 2] * t
    dense = np.sqrt(((points[:, None] - samples.reshape(1, -1, 3)) ** 2).sum(-1).min(1))
    assert (found.distance <= dense + 1e-12).all() and np.quantile(dense - found.distance, 0.9) < 0.03


def test_beyond_the_limit_there_is_no_face():
    tree = MeshTree(np.eye(3), np.array([[0, 1, 2]]))
    found = tree.closest(np.array([[0.3, 0.3, 0.3], [5.0, 5, 5]]), limit=1.0)
    assert found.face.tolist() == [0, -1] and found.distance[1] == 1.0 and found.distance[0] < 0.1
    empty = MeshTree(np.zeros((0, 3)), np.zeros((0, 3), int)).closest(np.zeros((2, 3)), limit=2.0)
    assert empty.face.tolist() == [-1, -1] and empty.distance.tolist() == [2.0, 2.0]
