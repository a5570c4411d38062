"""Faces that pass through others, against every pair by hand and known cases."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh

from shapegen4d_core.geometry.self_intersection import self_intersections


def joined(*meshes):
    mesh = trimesh.util.concatenate(meshes)
    return np.asarray(mesh.vertices), np.asarray(mesh.faces)


def ball(x, size=0.5):
    mesh = trimesh.creation.icosphere(subdivisions=2, radius=size)
    mesh.apply_translation((x, 0.01, 0.02))
    return mesh


def test_a_sound_mesh_has_none():
    assert not self_intersections(*joined(ball(0), ball(1.2))).any()


def test_two_balls_cross_along_a_circle():
    vertices, faces = joined(ball(-0.3), ball(0.3))
    hit = self_intersections(vertices, faces)
    middle = vertices[faces].mean(axis=1)
    assert 10 < hit.sum() < 0.4 * len(faces) and np.abs(middle[hit][:, 0]).max() < 0.25
    assert abs(int(hit[: len(hit) // 2].sum()) - int(hit[len(hit) // 2 :].sum())) <= 6


def test_a_needle_through_a_large_face_is_found_whatever_the_sizes():
    plate = np.array([[-5, -5, 0], [5, -5, 0], [0, 5, 0]], float)
    needle = np.array([[0.1, 0.1, -0.01], [0.11, 0.1, 0.02], [0.1, 0.11, 0.02]])
    beside = needle + (0, 20, 0)
    hit = self_intersections(np.concatenate([plate, needle, beside]), np.arange(9).reshape(3, 3))
    assert hit.tolist() == [True, True, False]


def test_neighbours_that_share_a_corner_are_left_out():
    vertices = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0.2, 0.2, -1], [0.2, 0.2, 1]], float)
    assert not self_intersections(vertices, np.array([[0, 1, 2], [0, 3, 4]])).any()


def segment_meets(p, q, a, b, c):
    matrix = np.stack([q - p, a - b, a - c], axis=1)
    if abs(np.linalg.det(matrix)) < 1e-12:
        return False
    t, u, v = np.linalg.solve(matrix, a - p)
    return 0 < t < 1 and u > 0 and v > 0 and u + v < 1


@pytest.mark.parametrize("seed", range(3))
def test_all_pairs_by_brute_force(seed):
    rng = np.random.default_rng(seed)
    size = rng.choice([0.1, 0.4, 1.5], 30)[:, None, None]
    corners = rng.uniform(-1, 1, (30, 1, 3)) + size * rng.normal(size=(30, 3, 3))
    expected = np.zeros(30, bool)
    for i in range(30):
        for j in range(30):
            edges = [(corners[i][k], corners[i][(k + 1) % 3]) for k in range(3)]
            if i != j and any(segment_meets(p, q, *corners[j]) for p, q in edges):
                expected[i] = expected[j] = True
    assert 0 < expected.sum() < 30
    np.testing.assert_array_equal(self_intersections(corners.reshape(-1, 3), np.arange(90).reshape(30, 3)), expected)
