"""Specks go, second parts stay, and a face budget is kept without opening the mesh."""

from __future__ import annotations

import builtins

import numpy as np
import pytest
import trimesh

from shapegen4d_core.decoding.cleanup import remove_floaters
from shapegen4d_core.decoding.coarse import CoarseToFine
from shapegen4d_core.decoding.grid import Grid
from shapegen4d_core.decoding.memory import ChunkedField
from shapegen4d_core.decoding.settings import DecodeSettings
from shapegen4d_core.decoding.surface import extract_surface, inspect_surface
from shapegen4d_core.errors import InputError
from shapegen4d_core.geometry.decimate import decimate
from shapegen4d_core.geometry.mesh import enclosed_volume

DEFAULT = DecodeSettings().floater_ratio


@pytest.fixture
def mesh(shapes):
    def make(*parts, resolution=64):
        field = shapes.field(shapes.union(*parts), 0.1)
        return extract_surface(CoarseToFine(Grid(resolution, 1.05), 0.1)(ChunkedField(field, 1 << 16)))

    return make


def test_specks_go_and_second_parts_stay(mesh, shapes):
    body = shapes.ball((-0.3, 0.0, 0.0), 0.6)
    limb = shapes.ball((0.7, 0.0, 0.0), 0.1)  # a sixth of the size, under half a percent of the volume
    sheet = shapes.slab((0.0, 0.9, 0.0), (0.3, 0.04, 0.3))
    vertices, faces = mesh(body, limb, sheet, shapes.ball((0.8, -0.8, 0.8), 0.03))
    assert inspect_surface(vertices, faces).components == 4
    kept, kept_faces = remove_floaters(vertices, faces, DEFAULT)
    report = inspect_surface(kept, kept_faces)
    assert report.components == 3 and report.closed
    assert len(np.unique(kept_faces)) == len(kept)  # no vertices left over
    assert not (np.linalg.norm(kept - np.array([0.8, -0.8, 0.8]), axis=1) < 0.1).any()


def test_ratio_zero_keeps_all_and_one_keeps_the_largest(mesh, shapes):
    vertices, faces = mesh(shapes.ball((-0.4, 0, 0), 0.5), shapes.ball((0.6, 0, 0), 0.3))
    assert remove_floaters(vertices, faces, 0)[1] is faces
    largest = remove_floaters(vertices, faces, 1)
    assert inspect_surface(*largest).components == 1
    assert largest[0][:, 0].max() < 0.2


def test_hollows_stay_with_their_wall_and_go_with_it(mesh, shapes):
    thick = shapes.shell((-0.4, 0, 0), 0.4, 0.2)
    vertices, faces = mesh(thick, shapes.shell((0.7, 0, 0), 0.19, 0.08))
    assert inspect_surface(vertices, faces).components == 4
    kept = remove_floaters(vertices, faces, DEFAULT)
    assert kept[1] is faces
    # the small wall has 0.21 of the area of the large one, its hollow 0.09: both go, no inside-out rest
    kept = remove_floaters(vertices, faces, 0.3)
    expected = 4 / 3 * np.pi * (0.5**3 - 0.3**3)
    assert inspect_surface(*kept).components == 2
    assert enclosed_volume(*kept) == pytest.approx(expected, rel=0.02)


def test_a_wrinkled_hollow_does_not_outlive_its_wall():
    """A hollow of more area than the ratio asks, in a wall of less: it goes too, or it would be inside out."""
    body, wall = box((4, 4, 4), 10.0), box((2, 2, 2), 0.0)  # areas 96 and 24
    leaves = [box((0.2, 1.9, 1.9), x)[:, ::-1] for x in (-0.6, -0.4, -0.2, 0.0, 0.2, 0.4)]  # 8.7 each, touching
    corners = np.concatenate([body, wall, *leaves]).reshape(-1, 3).round(3)
    vertices, faces = np.unique(corners, axis=0, return_inverse=True)
    vertices, faces = vertices.astype(np.float32), faces.reshape(-1, 3).astype(np.int32)
    assert inspect_surface(vertices, faces).components == 3
    kept = remove_floaters(vertices, faces, 0.3)
    assert inspect_surface(*kept).components == 1 and enclosed_volume(*kept) == pytest.approx(64)


def box(size, x):
    """Triangles [12,3,3] of a box around (x,0,0)."""
    mesh = trimesh.creation.box(size)
    return np.asarray(mesh.triangles) + (x, 0, 0)


@pytest.mark.parametrize("budget", [4000, 300])
def test_decimation_keeps_closed_and_shape(mesh, shapes, budget):
    vertices, faces = mesh(shapes.torus(0.6, 0.25), shapes.ball((0, 0, 0), 0.2))
    assert len(faces) > 4000
    fewer, fewer_faces = decimate(vertices, faces, budget)
    assert len(fewer_faces) <= budget
    assert fewer.dtype == np.float32 and fewer_faces.dtype == np.int32
    report = inspect_surface(fewer, fewer_faces)
    assert report.closed and report.components == 2
    assert report.volume == pytest.approx(enclosed_volume(vertices, faces), rel=0.05)


def test_decimation_leaves_small_meshes_alone(mesh, shapes):
    vertices, faces = mesh(shapes.ball((0, 0, 0), 0.2))
    assert decimate(vertices, faces, len(faces))[1] is faces


def test_decimation_without_its_package(mesh, shapes, monkeypatch):
    real = builtins.__import__

    def refuse(name, *args, **kwargs):
        if name == "fast_simplification":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    vertices, faces = mesh(shapes.ball((0, 0, 0), 0.4))
    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(InputError, match="fast-simplification.*max_faces"):
        decimate(vertices, faces, 100)
