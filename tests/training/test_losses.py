import numpy as np
import pytest
import torch

from shapegen4d_core.errors import InputError
from shapegen4d_core.models import build
from shapegen4d_core.models.shape_vae import ShapeVAE
from shapegen4d_core.training.adapter import AdapterLoss, adapter_batches
from shapegen4d_core.training.bank import FrameBank, network_pixels
from shapegen4d_core.training.base import BaseLoss, base_batches, data_error
from shapegen4d_core.training.draws import clean_frames, noise_levels
from shapegen4d_core.training.stages import AdapterOptions
from shapegen4d_core.training.vae import PointBank, VAELoss, mirrored, vae_batches

SIZE, FRAMES, CLIPS, SLOTS = 28, 3, 4, 8
ALL = slice(None)


@pytest.fixture
def bank(config, data):
    return FrameBank(*data, config.image_encoder)


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


@pytest.mark.parametrize(
    "frames, chance, share", [(8, 0.0, 0.0), (8, 1.0, 1.0), (8, 0.5, 0.5), (2, 1.0, 1.0), (1, 1.0, 0.0)]
)
def test_clean_frames_never_cover_a_clip(frames, chance, share):
    mask = clean_frames(4000, frames, chance, np.random.default_rng(0))
    assert mask.any(1).mean() == pytest.approx(share, abs=0.03)
    assert not mask.all(1).any() and mask.sum(1).max() <= max(1, frames // 2)


def test_mirroring_flips_positions_and_normals_of_chosen_frames_only():
    values = torch.arange(12, dtype=torch.float16).reshape(2, 1, 6) + 1
    flipped = mirrored(values, torch.tensor([-1.0, 1.0]), normals=True)
    assert flipped[0, 0].tolist() == [-1, 2, 3, -4, 5, 6] and torch.equal(flipped[1], values[1].float())


def test_recolouring_keeps_alpha_and_premultiplies(config, data):
    rgba = torch.from_numpy(data[0][0])
    order = torch.tensor([[2, 0, 1]]).expand(FRAMES, 3)
    gain = torch.tensor([[1.0, 0.5, 0.25]]).expand(FRAMES, 3)
    pixels = (network_pixels(rgba, config.image_encoder, (order, gain)) + 1) / 2
    values = rgba.float() / 255
    expected = values[..., [2, 0, 1]] * torch.tensor([1.0, 0.5, 0.25]) * values[..., 3:]
    assert torch.allclose(pixels[:, :3].permute(0, 2, 3, 1), expected, atol=1e-6)
    assert torch.allclose(pixels[:, 3], values[..., 3], atol=1e-6)


def test_three_channel_encoders_see_the_object_on_white(config):
    from shapegen4d_core.models import ImageEncoderConfig

    published = ImageEncoderConfig()
    side = published.image_size
    rgba = torch.zeros(1, side, side, 4, dtype=torch.uint8)
    rgba[:, :, : side // 2] = torch.tensor([255, 0, 0, 255], dtype=torch.uint8)
    pixels = network_pixels(rgba, published)
    back = pixels * torch.tensor(published.std)[:, None, None] + torch.tensor(published.mean)[:, None, None]
    assert torch.allclose(back[0, :, 0, [0, -1]].T, torch.tensor([[1.0, 0, 0], [1, 1, 1]]), atol=1e-6)


def test_mirrored_batches_pair_the_flipped_picture_with_the_mirrored_latents(config, data):
    rgba, latents = data
    plain = np.zeros_like(rgba)
    plain[..., : SIZE // 2, :] = 255  # only the left half is there
    marks = latents.copy()
    marks[:CLIPS], marks[CLIPS:] = 0.0, 1.0
    batch = base_batches(FrameBank(plain, marks, config.image_encoder), 1.0, 0.0)(0, ALL, 64)
    left = batch["pixels"][:, 3, :, 0] > 0
    is_plain = batch["latents"][:, 0, 0] == 0
    assert torch.equal(left.all(dim=1), is_plain) and 10 < int(is_plain.sum()) < 54


@pytest.mark.parametrize("make", [base_batches, adapter_batches])
def test_a_batch_is_the_same_however_many_processes_share_it(bank, make):
    batches = make(bank, 4.0, 0.1, seed=3)
    whole = batches(7, slice(0, 6), 6)
    parts = [batches(7, slice(first, first + 2), 6) for first in (0, 2, 4)]
    for key, value in whole.items():
        assert torch.equal(value, torch.cat([part[key] for part in parts])), key
    assert not torch.equal(batches(8, slice(0, 6), 6)["noise"], whole["noise"])


def ball_clips(rng):
    direction = rng.normal(size=(CLIPS, FRAMES, 128, 3))
    points = 0.6 * direction / np.linalg.norm(direction, axis=-1, keepdims=True)
    where = rng.uniform(-1, 1, (CLIPS, FRAMES, 128, 3))
    field = ((0.6 - np.linalg.norm(where, axis=-1, keepdims=True)) / 0.1).clip(-1, 1)
    cloud = np.concatenate([points, points / 0.6], -1).astype(np.float16)
    samples = np.concatenate([where, field], -1).astype(np.float16)
    slots = np.tile(np.arange(2 * SLOTS).reshape(SLOTS, 2), (CLIPS, 1, 1))
    return PointBank({"surface": cloud, "aligned": cloud, "near": samples, "uniform": samples}, slots)


def test_vae_batches_are_the_same_however_many_processes_share_them():
    batches = vae_batches(ball_clips(np.random.default_rng(0)), 8, points=16, near=8, volume=8)
    whole = batches(2, slice(0, 4), 4)
    parts = [batches(2, slice(first, first + 2), 4) for first in (0, 2)]
    assert all(torch.equal(value, torch.cat([part[key] for part in parts])) for key, value in whole.items())


def test_vae_loss_trains(config):
    batches = vae_batches(ball_clips(np.random.default_rng(0)), config.vae.embed_dim, points=64, near=32, volume=32)
    torch.manual_seed(0)
    loss = VAELoss(ShapeVAE(config.vae))
    optimizer, errors = torch.optim.Adam(loss.parameters(), lr=3e-3), []
    for step in range(30):
        value, metrics = loss(**batches(step, slice(0, 4), 4))
        value.backward()
        optimizer.step()
        optimizer.zero_grad()
        errors.append(float(metrics["error"]))
    assert errors[-1] < 0.7 * errors[0]


def test_dropped_pictures_do_not_reach_the_base(config, bank):
    torch.manual_seed(0)
    model = build(config, parts=("image_encoder", "denoiser"))
    loss = BaseLoss(model.image_encoder, model.denoiser)
    batch = base_batches(bank, 4.0, 0.0)(0, slice(0, 4), 4)
    batch["keep"] = torch.zeros(4)
    first, _ = loss(**batch)
    second, _ = loss(**{**batch, "pixels": torch.randn_like(batch["pixels"])})
    kept, _ = loss(**{**batch, "keep": torch.ones(4)})
    assert first.item() == second.item() != kept.item()


@pytest.mark.parametrize("correlation", [1.0, 0.75, 0.5, 0.0])
def test_adapter_batches_share_noise_as_asked(bank, correlation):
    batch = adapter_batches(bank, 4.0, 0.0, correlation)(0, slice(0, 2), 2)
    assert batch["noise"].shape == (2, 1 if correlation == 1 else FRAMES, SLOTS, 8)
    many = adapter_batches(bank, 4.0, 0.0, correlation)(0, slice(0, 400), 400)["noise"]
    frames = many.expand(-1, FRAMES, -1, -1).transpose(0, 1).flatten(1)
    told = torch.corrcoef(frames)
    expected = correlation + (1 - correlation) * torch.eye(FRAMES)
    torch.testing.assert_close(told, expected, atol=0.03, rtol=0)
    assert abs(float(many.std()) - 1) < 0.02
    assert batch["sigma"].shape == (2, FRAMES) and batch["pixels"].shape == (2, FRAMES, 4, SIZE, SIZE)
    assert torch.equal(batch["sigma"], batch["sigma"][:, :1].expand_as(batch["sigma"]))


@pytest.mark.parametrize("correlation", [-0.1, 1.5, float("nan")])
def test_correlations_out_of_range_are_named(correlation):
    with pytest.raises(InputError, match="correlation is .*--correlation"):
        AdapterOptions(correlation=correlation)


def test_fresh_adapter_loss_equals_the_base_loss(config, bank):
    torch.manual_seed(0)
    model = build(config)
    batch = adapter_batches(bank, 4.0, 0.0)(0, slice(0, 2), 2)
    value, _ = AdapterLoss(model.adapter, model.image_encoder, model.denoiser)(**batch)
    flat = {
        "pixels": batch["pixels"].flatten(0, 1),
        "latents": batch["latents"].flatten(0, 1),
        "noise": batch["noise"].expand_as(batch["latents"]).flatten(0, 1),
        "sigma": batch["sigma"].flatten(),
        "keep": batch["keep"].repeat_interleave(FRAMES),
    }
    base, _ = BaseLoss(model.image_encoder, model.denoiser)(**flat)
    assert float(value.detach()) == pytest.approx(float(base.detach()), rel=1e-6)


def test_clean_frames_are_seen_but_carry_no_error(config, bank):
    torch.manual_seed(0)
    model = build(config)
    for parameter in model.adapter.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    loss = AdapterLoss(model.adapter, model.image_encoder, model.denoiser)
    batch = adapter_batches(bank, 4.0, 0.0, clean=1.0, seed=1)(0, slice(0, 2), 2)
    held = batch["sigma"] == 0
    assert held.any(1).all() and not held.all(1).any()
    moved = batch["latents"] + 0.5 * held[..., None, None]
    changed = ({"latents": moved}, {"sigma": torch.zeros_like(batch["sigma"])})
    with torch.no_grad():
        first, other, nothing = (float(loss(**{**batch, **change})[0]) for change in ({}, *changed))
    assert other != first, "noisy frames see the clean ones"
    assert nothing == 0.0


def test_pictures_of_another_size_or_count_are_refused(config, data):
    rgba, latents = data
    with pytest.raises(InputError, match="--image-size 28"):
        FrameBank(rgba[:, :, :14, :14], latents, config.image_encoder)
    with pytest.raises(InputError, match="latents stage"):
        FrameBank(rgba, latents[:3], config.image_encoder)
