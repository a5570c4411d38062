"""Laplacians against PyTorch3D and libigl, and what must hold for any mesh."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh
from scipy.spatial import Delaunay

from shapegen4d_core.geometry.laplacian import (
    combinatorial_laplacian,
    cotangent_laplacian,
    cotangent_weights,
    undirected_edges,
    voronoi_areas,
)
from shapegen4d_core.geometry.mesh import area_vectors, vertex_normals


@pytest.fixture
def reference(golden):
    return golden("laplacian")


def test_edges_and_combinatorial_weights(reference):
    edges = undirected_edges(reference["faces"])
    assert {tuple(edge) for edge in edges} == {tuple(sorted(edge)) for edge in reference["edges"].tolist()}
    ours = combinatorial_laplacian(reference["faces"], len(reference["verts"])).toarray()
    np.testing.assert_allclose(-ours / np.diag(ours)[:, None], reference["laplacian_p3d"], atol=1e-6)


def test_cotangent_weights_match_two_libraries(reference):
    ours = cotangent_laplacian(reference["verts"], reference["faces"]).toarray()
    np.testing.assert_allclose(-ours, reference["cotmatrix_igl"], rtol=1e-5, atol=1e-9)
    apart = np.diag(np.diag(ours)) - ours
    np.testing.assert_allclose(2 * apart, reference["cot_laplacian_p3d_offdiag"], rtol=1e-4, atol=1e-6)


def test_areas_and_normals(reference):
    vertices, faces = reference["verts"], reference["faces"]
    np.testing.assert_allclose(voronoi_areas(vertices, faces), reference["massmatrix_voronoi_igl_diag"], rtol=1e-5)
    areas = np.linalg.norm(area_vectors(vertices, faces), axis=1)
    np.testing.assert_allclose(areas, reference["face_areas_p3d"], atol=1e-5)
    np.testing.assert_allclose(
        vertex_normals(vertices, faces), reference["vertex_normals_area_weighted_p3d"], atol=1e-5
    )


def test_losses_that_others_build_from_them(reference):
    vertices, faces = reference["verts"].astype(float), reference["faces"]
    uniform = combinatorial_laplacian(faces, len(vertices))
    smooth = np.linalg.norm((uniform @ vertices) / uniform.diagonal()[:, None], axis=1).mean()
    assert smooth == pytest.approx(float(reference["mesh_laplacian_smoothing_uniform"]), rel=1e-4)
    weighted = cotangent_laplacian(vertices, faces)
    smooth = np.linalg.norm((weighted @ vertices) / weighted.diagonal()[:, None], axis=1).mean()
    assert smooth == pytest.approx(float(reference["mesh_laplacian_smoothing_cot"]), rel=1e-4)


def test_linear_functions_on_a_plane_are_harmonic_inside():
    """The cotangent Laplacian of any linear function vanishes at inner vertices, the combinatorial one does not."""
    rng = np.random.default_rng(0)
    flat = trimesh.creation.icosphere(subdivisions=2).vertices[:, :2]
    flat = np.concatenate([flat[:40], rng.uniform(-1, 1, (60, 2))])
    faces = Delaunay(flat).simplices
    points = np.c_[flat, np.zeros(len(flat))]
    hull = np.zeros(len(flat), bool)
    counts = np.unique(np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), 1),
                       axis=0, return_counts=True)  # fmt: skip
    hull[counts[0][counts[1] == 1]] = True
    height = flat @ (2.0, -1.0)
    assert np.abs(cotangent_laplacian(points, faces) @ height)[~hull].max() < 1e-9
    assert np.abs(combinatorial_laplacian(faces, len(flat)) @ height)[~hull].max() > 0.1


def test_faces_without_area_weigh_nothing():
    vertices = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [2, 0, 0]], float)
    edges, weights = cotangent_weights(vertices, np.array([[0, 1, 2], [0, 1, 3]]))
    assert np.isfinite(weights).all()
    assert dict(zip(map(tuple, edges.tolist()), weights))[(0, 3)] == 0
    assert voronoi_areas(vertices, np.array([[0, 1, 2], [0, 1, 3]])).sum() == pytest.approx(0.5)
