"""Measures of meshes against shapes whose answers are known, and against trimesh."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh

from shapegen4d_core.geometry.mesh import (
    area_vectors,
    components,
    drop_unused_vertices,
    enclosed_volume,
    is_closed,
    is_edge_manifold,
    vertex_normals,
)


def arrays(mesh):
    return np.asarray(mesh.vertices, np.float32), np.asarray(mesh.faces, np.int32)


@pytest.fixture
def two_boxes():
    first, second = trimesh.creation.box((1, 2, 3)), trimesh.creation.box((1, 1, 1))
    second.apply_translation((5, 0, 0))
    return arrays(trimesh.util.concatenate([first, second]))


def test_volume_and_area(two_boxes):
    vertices, faces = two_boxes
    assert enclosed_volume(vertices, faces) == pytest.approx(7)
    assert enclosed_volume(vertices, faces[:, ::-1]) == pytest.approx(-7)
    assert enclosed_volume(vertices + 40, faces) == pytest.approx(7, rel=1e-6)
    assert np.linalg.norm(area_vectors(vertices, faces), axis=1).sum() == pytest.approx(22 + 6)


def test_normals_match_area_weighting():
    sphere = trimesh.creation.icosphere(subdivisions=2)
    vertices, faces = arrays(sphere)
    normals = vertex_normals(vertices, faces)
    assert normals.dtype == np.float32
    expected = np.zeros_like(vertices)
    for face in faces:
        a, b, c = vertices[face]
        expected[face] += np.cross(b - a, c - a)
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(normals, expected, atol=1e-5)
    assert (normals * vertices).sum(1).min() > 0.99


def test_normals_where_there_is_no_direction():
    vertices = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [5, 5, 5]], np.float32)
    both_ways = np.array([[0, 1, 2], [0, 2, 1]], np.int32)
    np.testing.assert_array_equal(vertex_normals(vertices, both_ways), [[0, 1, 0]] * 4)
    assert vertex_normals(np.zeros((0, 3), np.float32), np.zeros((0, 3), np.int32)).shape == (0, 3)


def test_closed_and_manifold(two_boxes):
    _, faces = two_boxes
    assert is_closed(faces) and is_edge_manifold(faces)
    assert not is_closed(faces[1:]) and not is_edge_manifold(faces[1:])
    flipped = faces.copy()
    flipped[3] = flipped[3, ::-1]
    assert not is_closed(flipped)
    empty = np.zeros((0, 3), np.int32)
    assert is_closed(empty) and is_edge_manifold(empty)


def test_edge_of_four_faces_is_closed_but_not_manifold():
    """Two tetrahedra that share an edge."""
    one = np.array([[0, 1, 2], [0, 3, 1], [1, 3, 2], [2, 3, 0]], np.int32)
    other = np.array([0, 1, 4, 5], np.int32)[one]
    faces = np.concatenate([one, other])
    assert is_closed(faces) and not is_edge_manifold(faces)


def test_components(two_boxes):
    vertices, faces = two_boxes
    count, part = components(faces, len(vertices))
    assert count == 2 and part.tolist() == [0] * 12 + [1] * 12
    assert components(np.zeros((0, 3), np.int32), 5)[0] == 0
    assert components(faces[:12], len(vertices))[0] == 1  # vertices without faces are no component


def test_unused_vertices_go(two_boxes):
    vertices, faces = two_boxes
    kept, renumbered = drop_unused_vertices(vertices, faces[12:])
    assert len(kept) == 8 and renumbered.dtype == faces.dtype
    np.testing.assert_array_equal(kept[renumbered], vertices[faces[12:]])
