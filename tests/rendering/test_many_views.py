"""Many views at once: bit by bit what each gives alone."""

from __future__ import annotations

import sys

import pytest
import torch

from shapegen4d_core.errors import InputError
from shapegen4d_core.rendering import opencv_camera, rasterise, rasterise_views
from shapegen4d_core.sequence import Camera

FIELDS = ("face_id", "barycentric", "depth")
SIZE = (24, 40)


@pytest.fixture
def cameras() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """K [5,3,3], R [5,3,3], t [5,3] of five views with different lenses."""
    views = [Camera(70.0 * i, 15.0 * i - 20, 3.0 + 0.2 * i, (0, 0, 0), 30.0 + 5 * i, 40, 24) for i in range(5)]
    return tuple(torch.stack(parts) for parts in zip(*(opencv_camera(view) for view in views)))


@pytest.fixture
def mesh(golden) -> tuple[torch.Tensor, torch.Tensor]:
    """Vertices and faces of a golden shape, twice as large."""
    data = golden("raster")
    return 2 * torch.from_numpy(data["square.verts"]), torch.from_numpy(data["square.faces"])


@pytest.mark.parametrize("entries_at_once", [1, 3000, 1 << 20])
def test_a_view_is_what_it_is_alone_whatever_the_groups(mesh, cameras, monkeypatch, entries_at_once):
    monkeypatch.setattr(sys.modules[rasterise.__module__], "_ENTRIES_AT_ONCE", entries_at_once)
    vertices, faces = mesh
    moving = torch.stack([vertices * (1 + 0.1 * i) for i in range(5)])
    intrinsics, rotations, translations = cameras
    for given in (vertices, moving):
        many = rasterise_views(given, faces, intrinsics, rotations, translations, SIZE, samples_at_once=5000)
        assert many.face_id.shape == (5, *SIZE)
        for i in range(5):
            own = given if given.dim() == 2 else given[i]
            one = rasterise(own, faces, intrinsics[i], rotations[i], translations[i], SIZE)
            assert int((one.face_id >= 0).sum()) > 30
            assert all(torch.equal(getattr(many, name)[i], getattr(one, name)) for name in FIELDS)


def test_one_lens_serves_all_views(mesh, cameras):
    intrinsics, rotations, translations = cameras
    shared = rasterise_views(*mesh, intrinsics[0], rotations, translations, SIZE)
    repeated = rasterise_views(*mesh, intrinsics[:1].repeat(5, 1, 1), rotations, translations, SIZE)
    assert torch.equal(shared.face_id, repeated.face_id)


def test_refusals(mesh, cameras):
    vertices, faces = mesh
    intrinsics, rotations, translations = cameras
    for arguments, words in (
        ((vertices, faces, intrinsics, rotations, translations[:2], SIZE), "rotations and translations have shapes"),
        ((vertices, faces, intrinsics[:2], rotations, translations, SIZE), "intrinsics have shape"),
        ((vertices.expand(2, -1, -1), faces, intrinsics, rotations, translations, SIZE), "2 views and cameras for 5"),
        ((vertices, faces, -intrinsics, rotations, translations, SIZE), "positive focal lengths"),
        ((vertices[:, :2], faces, intrinsics, rotations, translations, SIZE), r"or \[views, count, 3\]"),
    ):
        with pytest.raises(InputError, match=words):
            rasterise_views(*arguments)
