from dataclasses import replace

import numpy as np
import pytest
import torch

from shapegen4d_core.models import PRESETS, AdapterConfig, build
from shapegen4d_core.models.shape_vae import ShapeVAE
from shapegen4d_core.training.adapter import AdapterLoss, adapter_batches, train_adapter
from shapegen4d_core.training.base import BaseLoss, base_batches, data_error, noise_levels, recoloured, to_pixels
from shapegen4d_core.training.loop import TrainSettings
from shapegen4d_core.training.vae import VAELoss, mirrored, vae_batches

SIZE, FRAMES, CLIPS, SLOTS = 28, 3, 4, 8


@pytest.fixture(scope="module")
def config():
    tiny = PRESETS["tiny"]
    denoiser = replace(
        tiny.denoiser,
        width=32,
        layers=1,
        num_single_layers=2,
        num_heads=2,
        condition_dim=32,
        visual_condition_dim=32,
        slot_count=SLOTS,
    )
    return replace(
        tiny,
        image_encoder=replace(
            tiny.image_encoder,
            hidden_size=32,
            num_hidden_layers=1,
            num_attention_heads=2,
            image_size=SIZE,
            table_size=SIZE,
        ),
        vae=replace(tiny.vae, width=32, heads=2, num_latents=SLOTS, num_encoder_layers=1, num_decoder_layers=1),
        denoiser=denoiser,
        adapter=AdapterConfig.for_denoiser(denoiser, every=2, frames=FRAMES),
    )


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    rgba = rng.integers(0, 255, (CLIPS, FRAMES, SIZE, SIZE, 4), dtype=np.uint8)
    return rgba, rng.standard_normal((2 * CLIPS, FRAMES, SLOTS, 8)).astype(np.float16)


def test_data_error_is_the_published_error_of_the_data_estimate():
    torch.manual_seed(0)
    z, noise, v = torch.randn(3, 5, 6, 2).unbind(0)
    sigma = torch.tensor([0.1, 0.4, 0.7, 0.9, 1.0])
    noisy = (1 - sigma)[:, None, None] * z + sigma[:, None, None] * noise
    published = (noisy - sigma[:, None, None] * v - z).square().mean(dim=(1, 2))
    assert torch.allclose(data_error(v, z, noise, sigma), published, atol=1e-5)


def test_noise_levels_move_towards_noise_with_the_shift():
    plain, moved = (noise_levels(20_000, shift, np.random.default_rng(0)) for shift in (1.0, 4.0))
    assert plain.mean() == pytest.approx(0.5, abs=0.01)
    assert np.allclose(moved, 4 * plain / (1 + 3 * plain), atol=1e-6)


def test_mirroring_flips_positions_and_normals_of_chosen_frames_only():
    values = np.arange(12, dtype=np.float16).reshape(2, 1, 6) + 1
    flipped = mirrored(values, np.array([-1.0, 1.0], dtype=np.float32), normals=True)
    assert flipped[0, 0].tolist() == [-1, 2, 3, -4, 5, 6] and np.array_equal(flipped[1], values[1])


def test_recolouring_keeps_alpha_and_premultiplies(data):
    pixels = recoloured(data[0][0], np.random.default_rng(1))
    alpha = data[0][0][..., 3].astype(np.float32) / 255
    assert np.allclose((pixels[:, 3] + 1) / 2, alpha, atol=1e-6)
    assert np.all((pixels[:, :3] + 1) / 2 <= alpha[:, None] + 1e-6)
    exact = to_pixels(np.ones((1, 2, 2, 3), np.float32), np.full((1, 2, 2, 1), 0.25, np.float32))
    assert np.allclose(exact, -0.5)


def test_mirrored_batches_pair_the_flipped_picture_with_the_mirrored_latents(data):
    rgba, latents = data
    plain = np.zeros_like(rgba)
    plain[..., : SIZE // 2, :] = 255  # only the left half is there
    marks = latents.copy()
    marks[:CLIPS], marks[CLIPS:] = 0.0, 1.0
    batch = next(base_batches(plain, marks, 64, 1.0, 0.0, np.random.default_rng(0)))
    left = batch["pixels"][:, 3, :, 0] > 0
    is_plain = batch["latents"][:, 0, 0] == 0
    assert torch.equal(left.all(dim=1), is_plain) and 10 < int(is_plain.sum()) < 54


def test_vae_loss_trains(config):
    rng = np.random.default_rng(0)
    direction = rng.normal(size=(CLIPS, FRAMES, 128, 3))
    points = 0.6 * direction / np.linalg.norm(direction, axis=-1, keepdims=True)
    where = rng.uniform(-1, 1, (CLIPS, FRAMES, 128, 3))
    field = ((0.6 - np.linalg.norm(where, axis=-1, keepdims=True)) / 0.1).clip(-1, 1)
    clips = {
        "surface": np.concatenate([points, points / 0.6], -1),
        "aligned": np.concatenate([points, points / 0.6], -1),
    }
    clips |= {key: np.concatenate([where, field], -1) for key in ("near", "uniform")}
    slots = np.tile(np.arange(2 * SLOTS).reshape(SLOTS, 2), (CLIPS, 1, 1))
    torch.manual_seed(0)
    loss = VAELoss(ShapeVAE(config.vae))
    batches = vae_batches(clips, slots, config.vae, 4, rng, points=64, near=32, volume=32)
    optimizer, errors = torch.optim.Adam(loss.parameters(), lr=3e-3), []
    for _ in range(30):
        value, metrics = loss(**next(batches))
        value.backward()
        optimizer.step()
        optimizer.zero_grad()
        errors.append(float(metrics["error"]))
    assert errors[-1] < 0.7 * errors[0]


def test_dropped_pictures_do_not_reach_the_base(config, data):
    torch.manual_seed(0)
    model = build(config, parts=("image_encoder", "denoiser"))
    loss = BaseLoss(model.image_encoder, model.denoiser)
    batch = next(base_batches(*data, 4, 4.0, 0.0, np.random.default_rng(0)))
    batch["keep"] = torch.zeros(4)
    first, _ = loss(**batch)
    second, _ = loss(**{**batch, "pixels": torch.randn_like(batch["pixels"])})
    kept, _ = loss(**{**batch, "keep": torch.ones(4)})
    assert first.item() == second.item() != kept.item()


def test_adapter_training_changes_the_adapter_alone_and_resumes(config, data, tmp_path):
    torch.manual_seed(0)
    model = build(config)
    before = {k: v.clone() for k, v in model.denoiser.state_dict().items()}
    start = {k: v.clone() for k, v in model.adapter.state_dict().items()}
    settings = TrainSettings(seconds=60, steps=3, rate=0.01, report_every=1)
    networks = (model.adapter, model.image_encoder, model.denoiser)
    averaged = train_adapter(*data, *networks, tmp_path, settings, batch=2)
    assert all(torch.equal(v, before[k]) for k, v in model.denoiser.state_dict().items())
    assert any(not torch.equal(v, start[k]) for k, v in averaged.state_dict().items())
    assert len((tmp_path / "log.csv").read_text().splitlines()) == 3
    assert not list(tmp_path.glob("*.tmp"))
    fresh = build(config, parts=("adapter",)).adapter
    again = train_adapter(*data, fresh, *networks[1:], tmp_path, settings, batch=2)
    assert all(torch.equal(v, averaged.state_dict()[k]) for k, v in again.state_dict().items())


@pytest.mark.parametrize("shared", [True, False])
def test_adapter_batches_share_noise_when_asked(data, shared):
    batch = next(adapter_batches(*data, 2, 4.0, 0.0, shared, np.random.default_rng(0)))
    assert batch["noise"].shape == (2, 1 if shared else FRAMES, SLOTS, 8)
    assert batch["sigma"].shape == (2,) and batch["pixels"].shape == (2, FRAMES, 4, SIZE, SIZE)


def test_fresh_adapter_loss_equals_the_base_loss(config, data):
    torch.manual_seed(0)
    model = build(config)
    batch = next(adapter_batches(*data, 2, 4.0, 0.0, True, np.random.default_rng(0)))
    value, _ = AdapterLoss(model.adapter, model.image_encoder, model.denoiser)(**batch)
    flat = {
        "pixels": batch["pixels"].flatten(0, 1),
        "latents": batch["latents"].flatten(0, 1),
        "noise": batch["noise"].expand_as(batch["latents"]).flatten(0, 1),
        "sigma": batch["sigma"].repeat_interleave(FRAMES),
        "keep": batch["keep"].repeat_interleave(FRAMES),
    }
    base, _ = BaseLoss(model.image_encoder, model.denoiser)(**flat)
    assert float(value) == pytest.approx(float(base), rel=1e-6)
