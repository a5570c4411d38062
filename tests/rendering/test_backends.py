"""Rasterisers are interchangeable: the same face in every pixel, and a clear word when one cannot draw."""

from __future__ import annotations

import logging
import sys
from importlib.util import find_spec

import numpy as np
import pytest
import torch
import trimesh

from shapegen4d_core.errors import InputError
from shapegen4d_core.rendering import backends, opencv_camera, rasterise, rasterise_views
from shapegen4d_core.sequence import Camera

OTHERS = [
    pytest.param(name, marks=pytest.mark.skipif(find_spec(name) is None, reason=f"{name} is not installed"))
    for name in ("warp", "pytorch3d")
]
FIELDS = ("face_id", "barycentric", "depth")
TRIANGLE = (torch.eye(3) + torch.tensor([0.0, 0, 2]), torch.tensor([[0, 1, 2]]))
POSE = (torch.tensor([[8.0, 0, 4], [0, 8, 4], [0, 0, 1]]), torch.eye(3), torch.zeros(3), (8, 8))


@pytest.fixture(autouse=True)
def forget():
    """Findings about Warp are kept per device; every test starts without them."""
    backends.warp_unfit.cache_clear()
    yield
    backends.warp_unfit.cache_clear()


def scenes() -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    """Fine and rough shapes, one with parts inside each other, one through which the camera looks from within."""
    random = np.random.default_rng(0)
    ball = trimesh.creation.icosphere(4)
    rough = ball.vertices * (0.7 + 0.1 * random.standard_normal((len(ball.vertices), 1)))
    nested = trimesh.util.concatenate([ball.copy().apply_scale(s) for s in (0.3, 0.5, 0.7)])
    around = trimesh.creation.icosphere(2, radius=8.0)
    return {
        name: (torch.tensor(vertices, dtype=torch.float32), torch.tensor(faces))
        for name, vertices, faces in (
            ("rough", rough, ball.faces),
            ("nested", nested.vertices, nested.faces),
            ("around", around.vertices, around.faces),
            ("soup", random.uniform(-1, 1, (300, 3)), np.arange(300).reshape(100, 3)),
            ("within a soup", random.uniform(-6, 6, (150, 3)), np.arange(150).reshape(50, 3)),
        )
    }


@pytest.mark.parametrize("name", scenes())
@pytest.mark.parametrize("backend", OTHERS)
def test_the_same_face_in_every_pixel(backend, name):
    size = (40, 30) if backend == "pytorch3d" else (150, 110)
    views = [Camera(77.0 * i, 25.0 * i - 30, 3.0, (0, 0, 0), 40.0, size[1], size[0]) for i in range(3)]
    cameras = [torch.stack(parts) for parts in zip(*(opencv_camera(view) for view in views))]
    expected = rasterise_views(*scenes()[name], *cameras, size, backend="torch")
    found = rasterise_views(*scenes()[name], *cameras, size, backend=backend)
    assert int((expected.face_id >= 0).sum()) > 3 * 300
    for field in FIELDS:
        assert torch.equal(getattr(found, field), getattr(expected, field)), field


@pytest.mark.skipif(find_spec("warp") is None, reason="warp is not installed")
def test_auto_is_warp_for_float32_and_torch_for_float64(monkeypatch):
    from shapegen4d_core.rendering import raster_torch, raster_warp

    assert backends.drawer("auto", TRIANGLE[0]) is raster_warp.draw
    assert backends.drawer("auto", TRIANGLE[0].double()).func is raster_torch.draw


def test_auto_is_torch_without_warp(monkeypatch, caplog):
    from shapegen4d_core.rendering import raster_torch

    monkeypatch.setattr(backends, "find_spec", lambda name: None)
    assert backends.drawer("auto", TRIANGLE[0]).func is raster_torch.draw
    assert not caplog.records
    assert int((rasterise(*TRIANGLE, *POSE).face_id >= 0).sum()) > 0


def test_a_warp_that_does_not_start_is_mentioned_once_and_replaced(monkeypatch, caplog):
    class Broken:
        @staticmethod
        def prepare(device):
            raise RuntimeError("no kernel image\nfor this device")

    monkeypatch.setattr(backends, "find_spec", lambda name: True)
    monkeypatch.setitem(sys.modules, "shapegen4d_core.rendering.raster_warp", Broken)
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            assert int((rasterise(*TRIANGLE, *POSE).face_id >= 0).sum()) > 0
    messages = [record.getMessage() for record in caplog.records]
    assert len(messages) == 1 and "no kernel image for this device" in messages[0] and "torch draws" in messages[0]
    with pytest.raises(InputError, match="backend is 'warp', but it failed to start on cpu"):
        rasterise(*TRIANGLE, *POSE, backend="warp")


@pytest.mark.skipif(find_spec("warp") is None, reason="warp is not installed")
def test_compiling_is_announced_and_a_missing_driver_named(monkeypatch, caplog, tmp_path):
    import warp

    from shapegen4d_core.rendering import raster_warp

    monkeypatch.setattr(warp.config, "kernel_cache_dir", str(tmp_path))
    monkeypatch.setattr(warp, "init", lambda: None)
    monkeypatch.setattr(warp, "load_module", lambda *_, **__: (tmp_path / f"wp_{raster_warp.__name__}_1").mkdir())
    with caplog.at_level(logging.WARNING):
        assert raster_warp.prepare(torch.device("cpu")) is None
        monkeypatch.setattr(warp, "load_module", lambda *_, **__: None)
        assert raster_warp.prepare(torch.device("cpu")) is None
    assert len(caplog.records) == 1 and "once per machine" in caplog.text
    monkeypatch.setattr(warp, "is_cuda_available", lambda: False)
    assert "warp-lang<1.18" in raster_warp.prepare(torch.device("cuda"))
    assert "draws on cpu and cuda" in raster_warp.prepare(torch.device("mps"))


def test_refusals(monkeypatch):
    monkeypatch.setattr(backends, "find_spec", lambda name: None)
    for backend, words in (
        ("opengl", "accepted are auto, torch, warp, pytorch3d"),
        ("warp", "'warp', which is not installed; install it with: pip install warp-lang"),
        ("pytorch3d", "'pytorch3d', which is not installed; it has to be built"),
    ):
        with pytest.raises(InputError, match=words):
            rasterise(*TRIANGLE, *POSE, backend=backend)
    monkeypatch.setattr(backends, "find_spec", lambda name: True)
    with pytest.raises(InputError, match="draws float32 and the vertices are torch.float64"):
        rasterise(TRIANGLE[0].double(), TRIANGLE[1], *POSE, backend="warp")
