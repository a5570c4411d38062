"""Texture coordinates: valid, cached by content, stopped at once."""

from __future__ import annotations

import importlib
import time

import numpy as np
import pytest
import trimesh
from scipy.ndimage import distance_transform_edt, label

from shapegen4d_core.errors import Cancelled, InputError
from shapegen4d_core.storage import write_value
from shapegen4d_core.texturing.texels import surface_texels
from shapegen4d_core.texturing.unwrap import ADVISED_FACES, gap_texels, unwrap
from tests.texturing.conftest import ball

unwrap_module = importlib.import_module("shapegen4d_core.texturing.unwrap")


@pytest.fixture(autouse=True)
def empty_cache(monkeypatch):
    monkeypatch.setattr(unwrap_module, "_cache", type(unwrap_module._cache)())


def test_the_cut_mesh_is_the_mesh():
    vertices, faces = ball()
    cut = unwrap(vertices, faces)
    assert np.array_equal(cut.vertex[cut.faces], faces)
    assert cut.uv.shape == (len(cut.vertex), 2) and cut.uv.min() >= 0 and cut.uv.max() <= 1
    assert cut.charts >= 1


def test_no_two_faces_share_texels():
    vertices, faces = ball()
    cut = unwrap(vertices, faces)
    corners = cut.uv[cut.faces].astype(np.float64)
    across, along = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    drawn = np.abs(across[:, 0] * along[:, 1] - across[:, 1] * along[:, 0]).sum() / 2
    texels = surface_texels(cut.faces, cut.uv, 512)
    assert texels.inside.sum() / 512**2 == pytest.approx(drawn, rel=0.02)


def test_charts_keep_their_distance():
    vertices, faces = ball()
    cut = unwrap(vertices, faces, texture_size=256)
    texels = surface_texels(cut.faces, cut.uv, 256)
    page = np.zeros(256 * 256, bool)
    page[texels.pixel[texels.inside]] = True
    charts, count = label(page.reshape(256, 256), np.ones((3, 3)))
    assert count == cut.charts and gap_texels(256) == 4
    for chart in range(1, count + 1):
        others = distance_transform_edt(~((charts > 0) & (charts != chart)))
        assert others[charts == chart].min() >= 3


def test_second_call_is_answered_from_memory(monkeypatch):
    vertices, faces = ball()
    first = unwrap(vertices, faces)
    monkeypatch.setattr(unwrap_module, "_start", lambda *_: pytest.fail("unwrapped again"))
    assert unwrap(vertices.copy(), faces.copy()) is first


def test_folder_keeps_results_and_distrusts_files(tmp_path):
    vertices, faces = ball()
    first = unwrap(vertices, faces, cache_folder=tmp_path)
    unwrap_module._cache.clear()
    again = unwrap(vertices, faces, cache_folder=tmp_path)
    assert again is not first and np.array_equal(again.uv, first.uv) and again.charts == first.charts
    (path,) = tmp_path.iterdir()
    arrays = {"vertex": first.vertex + len(vertices), "faces": first.faces, "uv": first.uv}
    write_value(path, "Unwrapped", {"charts": 1}, arrays)
    unwrap_module._cache.clear()
    with pytest.raises(InputError, match="does not hold the texture coordinates of this mesh"):
        unwrap(vertices, faces, cache_folder=tmp_path)


def test_a_cancel_ends_the_work_within_a_second():
    mesh = trimesh.creation.icosphere(subdivisions=5)
    began, calls = time.monotonic(), []

    def stop():
        calls.append(time.monotonic())
        if len(calls) == 3:
            raise Cancelled

    with pytest.raises(Cancelled):
        unwrap(mesh.vertices, mesh.faces, check=stop)
    assert time.monotonic() - calls[-1] < 1 and time.monotonic() - began < 5


def test_progress_ends_at_the_total():
    steps = []
    unwrap(*ball(), lambda step, total, preview=None: steps.append((step, total)))
    assert steps[-1] == (100, 100) and steps == sorted(steps) and all(step < 100 for step, _ in steps[:-1])


def test_many_faces_bring_advice(monkeypatch):
    monkeypatch.setattr(unwrap_module, "ADVISED_FACES", 100)
    heard = []
    unwrap(*ball(), notify=heard.append)
    assert len(heard) == 1 and "Track Topology" in heard[0] and ADVISED_FACES == 30_000


@pytest.mark.parametrize("faces", [np.zeros((0, 3), np.int32), np.zeros((2, 3), np.int32)])
def test_meshes_without_surface_are_refused(faces):
    with pytest.raises(InputError, match="cannot be unwrapped"):
        unwrap(np.zeros((3, 3), np.float32), faces)


def test_missing_xatlas_names_the_command(monkeypatch):
    monkeypatch.setattr(unwrap_module, "find_spec", lambda name: None)
    with pytest.raises(InputError, match="pip install xatlas"):
        unwrap(*ball())
