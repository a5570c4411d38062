"""Memory of an evaluation: estimates against counted peaks of the real networks, and exact ways to need less."""

from functools import partial

import pytest
import torch

from shapegen4d_core.errors import InputError
from shapegen4d_core.models import PRESETS, build
from shapegen4d_core.models.layers import by_rows, rows_at_once
from shapegen4d_core.sampling import SamplerSettings, sample
from shapegen4d_core.sampling import memory as sampling_memory
from shapegen4d_core.sampling.guidance import guided_velocity
from shapegen4d_core.sampling.memory import choose_frames, choose_rows, evaluation
from tests.sampling.test_sampler import FRAMES, make, settings, tokens
from tests.tools.peak import peak_bytes

FULL, TINY = ("step1x-3d", 16, 1370, 1024, torch.bfloat16), ("tiny", 8, 37, 64, torch.float32)
CASES = [
    (*FULL, "collapsed", 1), (*FULL, "collapsed", 8), (*FULL, "in_turn", 1), (*FULL, "together", 1),
    (*FULL, "together", 8), (*TINY, "collapsed", 1), (*TINY, "in_turn", 2),
    ("step1x-3d", 1, 257, 512, torch.float32, "collapsed", 1),
    ("step1x-3d-label", 4, 1627, 512, torch.float16, "in_turn", 1),
]  # fmt: skip


@pytest.mark.parametrize("preset, frames, tokens, latents, dtype, mode, parts", CASES)
def test_the_estimate_covers_the_peak_and_little_more(preset, frames, tokens, latents, dtype, mode, parts):
    config = PRESETS[preset].denoiser
    networks = build(PRESETS[preset], dtype=dtype, device="meta", parts=("denoiser", "adapter"))
    network = partial(networks.denoiser, adapter=networks.adapter, frames=frames)
    empty = partial(torch.empty, device="meta", dtype=dtype)
    label = empty(frames, 3, config.label_condition_dim) if config.use_label_condition else None
    given = (empty(frames, latents, config.input_channels), empty(frames, dtype=torch.float32))
    given += (empty(frames, tokens, config.visual_condition_dim), label)
    wanted = evaluation(config, SamplerSettings(guidance_mode=mode), frames, tokens, latents, dtype.itemsize)
    rows = -(-wanted.rows // parts)
    with rows_at_once(rows):
        peak = peak_bytes(lambda: guided_velocity(network, *given, guidance=5.0, mode=mode))
    assert peak <= wanted.bytes(rows) <= 1.2 * peak + 2**20


def test_full_size_fits_a_card_of_twelve_gigabytes():
    """16 frames beside 5 GB of weights; the feed-forward in parts brings it down further."""
    wanted = evaluation(PRESETS["step1x-3d"].denoiser, SamplerSettings(), 16, 1370, 1024, 2)
    assert wanted.bytes() < 1.8 * 2**30 and wanted.bytes(wanted.rows // 8) < 0.82 * wanted.bytes()


@pytest.mark.parametrize("limit", [1, 4, 7, 1000])
def test_rows_in_parts_are_the_same_rows(limit):
    x, y = torch.randn(3, 5, 4), torch.randn(3, 5, 4)
    with rows_at_once(limit):
        result = by_rows(lambda a, b: torch.cat([a * b, a + b], dim=-1), x, y[:, :, :])
    assert torch.equal(result, torch.cat([x * y, x + y], dim=-1))


@pytest.mark.parametrize("with_adapter", [True, False])
def test_rows_per_call_changes_nothing_but_rounding(with_adapter):
    denoiser, adapter = make()
    adapter = adapter if with_adapter else None
    whole = sample(denoiser, tokens(), settings(), adapter=adapter)
    parts = sample(denoiser, tokens(), settings(rows_per_call=4), adapter=adapter)
    torch.testing.assert_close(parts, whole, atol=1e-5, rtol=1e-5)


def test_short_memory_cuts_the_work_into_parts(monkeypatch):
    wanted = evaluation(PRESETS["tiny"].denoiser, SamplerSettings(), 8, 37, 64, 4)
    for share, rows, frames in ((2.0, wanted.rows, 8), (0.9, -(-wanted.rows // 8), 7), (0.01, 101, 1)):
        monkeypatch.setattr(sampling_memory, "free_memory", lambda device, share=share: share * wanted.bytes() / 0.8)
        assert (choose_rows(wanted, "cpu"), choose_frames(wanted, "cpu")) == (rows, frames)


class Full:
    """A denoiser's hook that runs out of memory while more than ``limit`` rows are taken at once."""

    def __init__(self, denoiser, limit):
        self.limit, self.refused = limit, 0
        for block in denoiser.dit_model.single_transformer_blocks:
            block.proj_mlp.register_forward_pre_hook(self)

    def __call__(self, module, given):
        if given[0].shape[:-1].numel() > self.limit:
            self.refused += 1
            raise torch.OutOfMemoryError("CUDA out of memory.")


def test_a_step_that_runs_out_of_memory_is_done_again_with_half():
    whole = sample(make()[0], tokens(), settings())
    denoiser, rows = make()[0], FRAMES * 11
    full, steps = Full(denoiser, rows // 2), []
    with pytest.warns(UserWarning, match=f"going on with {rows // 2} tokens at once"):
        result = sample(denoiser, tokens(), settings(), progress=lambda step, total, preview: steps.append(step))
    torch.testing.assert_close(result, whole, atol=1e-5, rtol=1e-5)
    assert full.refused == 1 and steps == [1, 2, 3, 4]


def test_when_half_does_not_suffice_the_setting_is_named():
    denoiser = make()[0]
    Full(denoiser, 1)
    with pytest.warns(UserWarning), pytest.raises(InputError, match="Out of memory with 16 tokens.*fewer frames"):
        sample(denoiser, tokens(), settings())
