"""Chunks: chosen from memory, halved once when it runs out, values the same."""

from __future__ import annotations

import pytest
import torch

from shapegen4d_core.decoding import DecodeSettings, make_sampler, memory
from shapegen4d_core.decoding.memory import ChunkedField, bytes_per_point, choose_chunk, decoding_bytes
from shapegen4d_core.errors import Cancelled, InputError
from shapegen4d_core.models import PRESETS, build
from tests.tools.peak import peak_bytes

POINTS = torch.linspace(-1, 1, 3000).view(1000, 3)


def norm(points):
    return points.norm(dim=1)


def needs_less_than(limit, error=None):
    """A field that runs out of memory with ``limit`` points or more."""

    def field(points):
        if len(points) >= limit:
            raise error or torch.OutOfMemoryError("CUDA out of memory")
        return norm(points)

    return field


def test_chunk_follows_memory(monkeypatch):
    free = {"bytes": 1 << 27}
    monkeypatch.setattr(memory, "free_memory", lambda device: free["bytes"])
    assert choose_chunk(1 << 12) == 1 << 13  # a quarter of 2^27 over 2^12
    free["bytes"] = 1 << 26
    assert choose_chunk(1 << 12) == 1 << 12
    free["bytes"] = 0
    assert choose_chunk(1 << 14) == memory.LEAST_POINTS
    free["bytes"] = 1 << 50
    assert choose_chunk(1 << 12) == memory.MOST_BYTES["cpu"] >> 12
    assert choose_chunk(1) == memory.MOST_POINTS


@pytest.mark.parametrize("chunk", [1, 7, 999, 1000, 5000])
def test_values_do_not_depend_on_the_chunk(chunk):
    field = ChunkedField(norm, chunk, level=0.25)
    assert torch.equal(field(POINTS), norm(POINTS) - 0.25)
    assert field.evaluations == 1000


def test_half_precision_answers_become_float32():
    assert ChunkedField(lambda p: norm(p).half(), 64)(POINTS).dtype == torch.float32


def test_no_gradients_are_kept():
    weight = torch.ones(3, requires_grad=True)
    assert not ChunkedField(lambda p: p @ weight, 64)(POINTS).requires_grad


@pytest.mark.parametrize(
    "error", [None, RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate")]
)
def test_out_of_memory_halves_the_chunk_once(error):
    field = ChunkedField(needs_less_than(400, error), 600)
    with pytest.warns(UserWarning, match="going on with 300 points"):
        values = field(POINTS)
    assert torch.equal(values, norm(POINTS)) and field.chunk == 300


def test_out_of_memory_twice_is_an_error():
    field = ChunkedField(needs_less_than(100), 600)
    with pytest.warns(UserWarning, match="300"), pytest.raises(InputError, match="300 points.*chunk"):
        field(POINTS)


def test_other_failures_pass_unchanged():
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        ChunkedField(needs_less_than(1, RuntimeError("mat1 and mat2 shapes cannot be multiplied")), 10)(POINTS)


def test_values_that_are_not_finite_are_refused():
    def broken(points):
        return torch.where(points[:, 0] > 0.9, torch.nan, 0.5)

    with pytest.raises(InputError, match="not finite at .* float32"):
        ChunkedField(broken, 100)(POINTS)


def test_answers_of_the_wrong_shape_are_refused():
    with pytest.raises(InputError, match=r"\[100, 3\] for 100 points"):
        ChunkedField(lambda p: p, 100)(POINTS)


def test_check_cancels_between_chunks():
    calls = []

    def check():
        calls.append(1)
        if len(calls) == 3:
            raise Cancelled

    field = ChunkedField(norm, 100, check=check)
    with pytest.raises(Cancelled):
        field(POINTS)
    assert len(calls) == 3


@pytest.mark.parametrize("preset, latents, dtype", [
    ("step1x-3d", 1024, torch.bfloat16), ("step1x-3d", 2048, torch.float32), ("tiny", 64, torch.float32),
])  # fmt: skip
def test_bytes_per_point_cover_the_peak_and_little_more(preset, latents, dtype):
    vae = build(PRESETS[preset], dtype=dtype, device="meta", parts=("vae",)).vae
    field = vae.field(torch.empty(1, latents, vae.config.width, device="meta", dtype=dtype))
    points = torch.empty(1, 4096, 3, device="meta")
    peak = peak_bytes(lambda: field(points)) / 4096
    assert peak <= bytes_per_point(vae.config, latents, dtype.itemsize) <= 1.25 * peak


@pytest.mark.parametrize("resolution", [48, 96])
def test_a_whole_frame_stays_below_the_estimate(resolution):
    vae = build(PRESETS["tiny"], parts=("vae",)).vae
    settings = DecodeSettings(resolution=resolution, chunk=2048)
    sampler = make_sampler(settings, vae.config.truncation)
    latent = torch.randn(1, 64, 8, generator=torch.Generator().manual_seed(0))

    def run():
        network = vae.field(vae.decode(latent))

        def ball(points):
            return 0 * network(points[None])[0].nan_to_num() + ((0.7 - norm(points)) / 0.1).clamp(-1, 1)

        return sampler(ChunkedField(ball, settings.chunk))

    peak, estimate = peak_bytes(run), decoding_bytes(vae.config, 64, resolution, settings.chunk)
    assert peak <= estimate <= 2 * peak


def test_the_transformer_over_the_latents_is_counted():
    vae = build(PRESETS["step1x-3d"], dtype=torch.bfloat16, device="meta", parts=("vae",)).vae
    peak = peak_bytes(lambda: vae.decode(torch.empty(1, 2048, 64, device="meta")))
    assert peak <= decoding_bytes(vae.config, 2048, 8, 1, itemsize=2) <= 1.1 * peak


def test_devices_without_fused_attention_need_a_row_per_head():
    config = PRESETS["step1x-3d"].vae
    assert bytes_per_point(config, 1024, 2, "mps") == bytes_per_point(config, 1024, 2) + 2 * 2 * 12 * 1024
