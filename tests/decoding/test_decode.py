"""From latents to a mesh sequence: with a stand-in whose latents are balls, and with the real autoencoder."""

from __future__ import annotations

import warnings
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from shapegen4d_core.decoding import DecodeSettings, decode, decode_sequence
from shapegen4d_core.decoding.decode import bytes_per_point
from shapegen4d_core.decoding.grid import Grid, GridSample
from shapegen4d_core.decoding.surface import extract_surface
from shapegen4d_core.errors import Cancelled, InputError
from shapegen4d_core.geometry.mesh import enclosed_volume, is_closed, vertex_normals
from shapegen4d_core.models import ShapeVAE, ShapeVAEConfig
from shapegen4d_core.sequence import LatentSequence

TRUNCATION = 0.1
SMALL = DecodeSettings(resolution=40)


class Balls:
    """Stands in for the autoencoder: each latent (x, y, z, radius) is a ball; counts what it is asked."""

    config = SimpleNamespace(truncation=TRUNCATION)

    def __init__(self):
        self.items, self.points = [], 0

    def decode(self, latents):
        self.items.append(tuple(latents.shape))
        return latents

    def field(self, features):
        def values(points):
            assert points.shape[0] == 1 and points.dtype == torch.float32
            self.points += points.shape[1]
            gaps = (points[:, :, None] - features[:, None, :, :3]).norm(dim=-1)
            return ((features[:, None, :, 3] - gaps).amax(-1) / TRUNCATION).clamp(-1, 1)

        return values


def latents(*frames):
    """A sequence of frames, each a list of balls."""
    return LatentSequence(torch.tensor(frames, dtype=torch.float32), 12.5, "balls", "stand-in", {"seed": 3})


MOVING = latents(*[[[x, 0.0, 0.0, 0.4], [0.0, 0.8, 0.0, 0.15]] for x in (-0.4, 0.0, 0.4)])
GONE = [[0.0, 0.0, 0.0, -1.0]]


def test_frames_become_meshes():
    vae, steps = Balls(), []
    meshes = decode_sequence(vae, MOVING, SMALL, lambda step, total, preview=None: steps.append((step, total)))
    assert steps == [(1, 3), (2, 3), (3, 3)]
    assert vae.items == [(1, 2, 4)] * 3  # one frame at a time
    assert (meshes.frame_count, meshes.fps, meshes.name) == (3, 12.5, "balls")
    for x, vertices, faces, normals in zip((-0.4, 0, 0.4), meshes.vertices, meshes.faces, meshes.normals):
        assert is_closed(faces)
        expected = 4 / 3 * np.pi * (0.4**3 + 0.15**3)
        assert enclosed_volume(vertices, faces) == pytest.approx(expected, rel=0.03)
        np.testing.assert_array_equal(normals, vertex_normals(vertices, faces))
        assert np.abs(vertices[:, 0]).max() == pytest.approx(abs(x) + 0.4, abs=0.01)
    decoding = meshes.settings["decoding"]
    assert meshes.settings["seed"] == 3 and decoding["resolution"] == 40
    assert sum(decoding["evaluations"]) == vae.points < 0.25 * 3 * 41**3


@pytest.mark.parametrize("chunk", [100, 5000, 10**6])
def test_chunks_do_not_change_the_meshes(chunk):
    expected = decode_sequence(Balls(), MOVING, SMALL)
    meshes = decode_sequence(Balls(), MOVING, DecodeSettings(resolution=40, chunk=chunk))
    for ours, reference in zip(meshes.vertices, expected.vertices):
        np.testing.assert_allclose(ours, reference, atol=1e-6)
    for ours, reference in zip(meshes.faces, expected.faces):
        np.testing.assert_array_equal(ours, reference)


def test_methods_agree():
    ours, dense, published = (
        decode_sequence(Balls(), MOVING, DecodeSettings(resolution=63, method=method))
        for method in ("coarse-to-fine", "dense", "published")
    )
    for frame in range(3):
        np.testing.assert_array_equal(ours.faces[frame], dense.faces[frame])
        np.testing.assert_allclose(ours.vertices[frame], dense.vertices[frame], atol=1e-6)
        scaled = (published.vertices[frame] + 1.05) * 64 / 63 - 1.05
        assert len(scaled) == len(ours.vertices[frame])
        order, other = (np.lexsort(np.round(v, 3).T) for v in (scaled, ours.vertices[frame]))
        np.testing.assert_allclose(scaled[order], ours.vertices[frame][other], atol=2e-3)
    assert dense.settings["decoding"]["evaluations"] == [64**3] * 3


def test_truncation_of_the_model_or_of_the_settings_saves_evaluations():
    def evaluations(vae, **changes):
        meshes = decode_sequence(vae, MOVING, DecodeSettings(resolution=40, **changes))
        return sum(meshes.settings["decoding"]["evaluations"])

    unknown = Balls()
    unknown.config = None
    known = evaluations(Balls())
    assert known < evaluations(unknown)
    assert known == evaluations(unknown, truncation=TRUNCATION)
    assert known > evaluations(Balls(), truncation=2 * TRUNCATION)


def test_level_moves_the_surface():
    """At level 0.5 the surface lies half a truncation deeper."""
    meshes = decode_sequence(Balls(), latents([[0.0, 0.0, 0.0, 0.5]]), DecodeSettings(resolution=40, level=0.5))
    radius = np.linalg.norm(meshes.vertices[0], axis=1)
    np.testing.assert_allclose(radius, 0.45, atol=5e-3)


def test_clean_up_settings_are_used():
    speck = latents([[0.0, 0.0, 0.0, 0.6], [0.9, 0.9, 0.9, 0.04]])
    kept = decode_sequence(Balls(), speck, DecodeSettings(resolution=40, floater_ratio=0))
    cleaned = decode_sequence(Balls(), speck, DecodeSettings(resolution=40, max_faces=500))
    assert kept.vertices[0].max() > 0.9 > cleaned.vertices[0].max()
    assert len(kept.faces[0]) > 500 >= len(cleaned.faces[0])
    assert is_closed(cleaned.faces[0])


def test_frames_without_surface_are_empty_and_named():
    frames = latents(GONE, [[0.0, 0.0, 0.0, 0.5]], GONE)
    with pytest.warns(UserWarning, match="empty: 1, 3; lower level"):
        meshes = decode_sequence(Balls(), frames, SMALL)
    assert [len(v) > 0 for v in meshes.vertices] == [False, True, False]


def test_no_surface_at_all_is_an_error():
    with pytest.raises(InputError, match="No frame has a surface.*at most -1 and level is 0.*lower level"):
        decode_sequence(Balls(), latents(GONE, GONE), SMALL)


def test_good_frames_raise_no_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        decode_sequence(Balls(), MOVING, DecodeSettings(resolution=40, max_faces=2000))


def test_frames_over_the_budget_or_open_are_named(monkeypatch):
    monkeypatch.setattr(decode, "decimate", lambda vertices, faces, budget: (vertices, faces[:-1]))
    with pytest.warns(UserWarning) as caught:
        decode_sequence(Balls(), MOVING, DecodeSettings(resolution=40, max_faces=8))
    messages = [str(warning.message) for warning in caught]
    assert messages == [
        "Frames that are not closed: 1, 2, 3.",
        "Frames that could not be reduced to max_faces 8: 1, 2, 3.",
    ]


def test_cancel_inside_a_frame():
    vae = Balls()

    def check():
        if vae.points > 2000:
            raise Cancelled

    with pytest.raises(Cancelled):
        decode_sequence(vae, MOVING, DecodeSettings(resolution=40, chunk=500), check=check)
    assert vae.points < 3000


def test_inference_mode_and_repeatability():
    expected = decode_sequence(Balls(), MOVING, SMALL)
    with torch.inference_mode():
        meshes = decode_sequence(Balls(), MOVING, SMALL)
    np.testing.assert_array_equal(meshes.vertices[1], expected.vertices[1])


@pytest.fixture(scope="module")
def real_vae():
    """A tiny autoencoder with random weights, its field moved so that about half of space is inside."""
    config = ShapeVAEConfig(
        n_samples=64, num_latents=8, embed_dim=4, num_freqs=2, width=16, heads=2,
        num_encoder_layers=1, num_decoder_layers=1, with_sharp_data=False, truncation=TRUNCATION,
    )  # fmt: skip
    torch.manual_seed(0)
    vae = ShapeVAE(config)
    with torch.no_grad():
        vae.decoder.output_proj.weight.mul_(4)
        features = vae.decode(torch.randn(1, 8, 4))
        vae.decoder.output_proj.bias -= vae.query(features, torch.rand(1, 500, 3) * 2 - 1).median()
    return vae


def test_real_autoencoder_matches_plain_queries(real_vae):
    torch.manual_seed(1)
    frames = LatentSequence(torch.randn(2, 8, 4), 10.0, "noise", "random", {})
    settings = DecodeSettings(resolution=30, method="dense", floater_ratio=0)
    meshes = decode_sequence(real_vae, frames, settings)
    grid = Grid(30, 1.05)
    points = grid.points(torch.arange(grid.count), grid.axis())
    for frame in range(2):
        with torch.no_grad():
            values = real_vae.query(real_vae.decode(frames.latents[frame : frame + 1]), points[None])[0]
        expected, faces = extract_surface(GridSample(grid, values.view(31, 31, 31), grid.count))
        np.testing.assert_array_equal(meshes.faces[frame], faces)
        np.testing.assert_allclose(meshes.vertices[frame], expected, atol=1e-4)
        assert is_closed(faces) and len(faces) > 100


def test_real_autoencoder_coarse_to_fine_is_closed(real_vae):
    torch.manual_seed(1)
    frames = LatentSequence(torch.randn(2, 8, 4), 10.0, "noise", "random", {})
    meshes = decode_sequence(real_vae, frames, DecodeSettings(resolution=30))
    assert all(is_closed(faces) and len(faces) for faces in meshes.faces)


def test_memory_estimate_grows_with_the_model(real_vae):
    assert bytes_per_point(real_vae.config, 8) == round(4 * 1.2 * 16 * (3 + 2 * 4))
    assert bytes_per_point(ShapeVAEConfig(), 512) > bytes_per_point(real_vae.config, 512)
    assert bytes_per_point(None, 512) > 0
