"""Closed surfaces around well and badly made meshes, judged by trimesh."""

import numpy as np
import pytest
import trimesh

from shapegen4d_core.data.curation.watertight import SHEET, close_surface
from shapegen4d_core.decoding.grid import Grid

GRID = Grid(48, 1.05)


def closed(mesh, grid=GRID):
    surface = close_surface(np.asarray(mesh.vertices), np.asarray(mesh.faces), grid)
    made = trimesh.Trimesh(surface.vertices, surface.faces, process=False)
    assert made.is_watertight and made.is_winding_consistent and made.volume > 0
    return surface, made


def turned(mesh, seed=0):
    mesh.apply_transform(trimesh.transformations.random_rotation_matrix(np.random.default_rng(seed).random(3)))
    return mesh


def test_a_solid_keeps_its_size_and_place():
    box = turned(trimesh.creation.box((1.1, 0.8, 1.0)))
    surface, made = closed(box)
    assert made.volume == pytest.approx(box.volume, rel=0.01) and surface.thickness is None
    points, _ = trimesh.sample.sample_surface(made, 2000, seed=0)
    planes = ((points[:, None] - box.triangles[None, :, 0]) * box.face_normals).sum(-1).max(1)
    assert np.abs(planes).max() < GRID.cell  # at corners, which marching cubes cuts
    assert np.quantile(np.abs(planes), 0.85) < 0.05 * GRID.cell


@pytest.mark.parametrize("case", ["inner walls", "inverted", "small holes", "shuffled seams", "degenerate"])
def test_what_cannot_be_seen_from_outside_makes_no_difference(case):
    sphere = trimesh.creation.icosphere(4, 0.7)
    plain, _ = closed(sphere)
    changed = sphere.copy()
    if case == "inner walls":
        inside = [trimesh.creation.box((0.5, 0.4, 0.6)), trimesh.creation.icosphere(2, 0.5)]
        changed = trimesh.util.concatenate([sphere, *inside])
    elif case == "inverted":
        changed.invert()
    elif case == "small holes":
        changed.update_faces(np.arange(len(sphere.faces)) % 97 != 0)
    elif case == "shuffled seams":
        changed = trimesh.Trimesh(sphere.triangles.reshape(-1, 3), np.arange(len(sphere.faces) * 3).reshape(-1, 3),
                                  process=False)
    else:
        changed = trimesh.Trimesh(sphere.vertices, np.concatenate([sphere.faces, [[0, 0, 1], [5, 5, 5]]]),
                                  process=False)
    _, made = closed(changed)
    assert made.volume == pytest.approx(0.7**3 * 4 / 3 * np.pi, rel=0.01) and made.body_count == 1
    assert np.abs(np.linalg.norm(made.vertices, axis=1) - 0.7).max() < 0.5 * GRID.cell
    assert len(plain.faces) == pytest.approx(len(made.faces), rel=0.05)


@pytest.mark.parametrize("resolution", [32, 64])
def test_a_sheet_gets_the_thickness_that_is_reported(resolution):
    grid = Grid(resolution, 1.05)
    corners = np.array([[-0.7, 0, -0.7], [0.7, 0, -0.7], [0.7, 0, 0.7], [-0.7, 0, 0.7]])
    sheet = turned(trimesh.Trimesh(corners, [[0, 1, 2], [0, 2, 3]], process=False), 4)
    surface, made = closed(sheet, grid)
    assert surface.thickness == pytest.approx(2 * SHEET * grid.cell) and surface.sheet_share == 1
    normal, centre = sheet.face_normals[0], sheet.vertices.mean(0)
    middle = made.vertices[np.linalg.norm(made.vertices - centre, axis=1) < 0.5]
    height = (middle - centre) @ normal
    assert np.allclose(np.abs(height), surface.thickness / 2, atol=0.05 * grid.cell)
    assert made.volume == pytest.approx(1.4**2 * surface.thickness, rel=0.2)


def test_a_sheet_hangs_on_its_body_without_a_gap():
    body = trimesh.creation.icosphere(3, 0.4)
    cape = trimesh.Trimesh([[0, 0.3, 0], [0, 0.3, 0.9], [0, -0.9, 0.9], [0, -0.9, 0]], [[0, 1, 2], [0, 2, 3]])
    surface, made = closed(trimesh.util.concatenate([body, cape]))
    assert made.body_count == 1 and 0.2 < surface.sheet_share < 0.8
    front = made.vertices[made.vertices[:, 2] < -0.1]
    away = np.abs(front[:, 0]) > 2 * GRID.cell
    assert np.abs(np.linalg.norm(front[away & (front[:, 1] > -0.2)], axis=1) - 0.4).max() < 0.5 * GRID.cell


def test_all_parts_are_kept_and_crumbs_are_not():
    balls = [trimesh.creation.icosphere(2, 0.2).apply_translation((x, 0, 0)) for x in (-0.6, 0.0, 0.6)]
    crumb = trimesh.creation.icosphere(1, 0.02).apply_translation((0, 0.8, 0))
    _, made = closed(trimesh.util.concatenate([*balls, crumb]))
    assert made.body_count == 3


def test_nothing_gives_nothing():
    surface = close_surface(np.zeros((3, 3)), np.array([[0, 1, 2]]), GRID)
    assert len(surface.faces) == 0 and surface.thickness is None
