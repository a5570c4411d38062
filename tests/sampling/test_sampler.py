"""The sampler: guidance, the exact savings, determinism, anchors, progress and cancelling."""

import pytest
import torch

from shapegen4d_core.errors import Cancelled, InputError
from shapegen4d_core.models.adapter import SpatioTemporalAdapter
from shapegen4d_core.models.denoiser import Denoiser
from shapegen4d_core.models.denoiser_config import AdapterConfig, DenoiserConfig
from shapegen4d_core.sampling import SamplerSettings, draw, sample, sigmas
from shapegen4d_core.sampling.guidance import GUIDANCE_MODES
from shapegen4d_core.sampling.sampler import euler_step

FRAMES, LATENTS, TOKENS = 3, 6, 5


def make(seed=0, **changes):
    sizes = dict(
        input_channels=4, width=16, layers=1, num_single_layers=2, num_heads=2, condition_dim=8,
        visual_condition_dim=8, label_condition_dim=8, slot_count=LATENTS,
    )  # fmt: skip
    denoiser = Denoiser(DenoiserConfig(**{**sizes, **changes}))
    adapter = SpatioTemporalAdapter(AdapterConfig.for_denoiser(denoiser.config))
    generator = torch.Generator().manual_seed(seed)
    for parameter in [*denoiser.parameters(), *adapter.parameters()]:
        parameter.data = 0.3 * torch.randn(parameter.shape, generator=generator)
    return denoiser, adapter


def tokens(clips=None, seed=1):
    shape = (FRAMES, TOKENS, 8) if clips is None else (clips, FRAMES, TOKENS, 8)
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def settings(**changes):
    return SamplerSettings(**{**dict(steps=4, guidance=3.0, seed=3), **changes})


def count_calls(denoiser):
    calls = []
    denoiser.register_forward_hook(lambda module, given, result: calls.append(tuple(given[2].shape)))
    return calls


@pytest.mark.parametrize("guidance", [1.0, 3.0])
def test_it_is_euler_on_the_guided_velocity(guidance):
    """The whole loop once more, written out with plain network calls."""
    denoiser, adapter = make()
    visual, chosen = tokens(), settings(guidance=guidance, zero_init=False)
    x = draw((1, FRAMES, LATENTS, 4), seed=3)[0]
    levels = sigmas(4, 3.0)
    with torch.no_grad():
        for now, after in zip(levels[:-1], levels[1:]):
            time = torch.full((FRAMES,), 1000.0 * now.item())
            v = denoiser(x, time, visual, adapter=adapter, frames=FRAMES)
            if guidance > 1.0:
                nothing = denoiser(x, time, torch.zeros_like(visual), adapter=adapter, frames=FRAMES)
                v = nothing + guidance * (v - nothing)
            x = x + (after - now) * v
    result = sample(denoiser, visual, chosen, adapter=adapter)
    torch.testing.assert_close(result, x, atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize("labelled", [False, True])
def test_guidance_modes_agree(labelled):
    denoiser, adapter = make(use_label_condition=labelled)
    label = torch.randn(FRAMES, 3, 8) if labelled else None
    results = {
        mode: sample(denoiser, tokens(), settings(guidance_mode=mode), adapter=adapter, label=label)
        for mode in GUIDANCE_MODES
    }
    for mode in GUIDANCE_MODES[1:]:
        torch.testing.assert_close(results[mode], results["collapsed"], atol=1e-5, rtol=1e-5)
    assert not torch.allclose(results["together"], sample(denoiser, tokens(), settings(), label=label), atol=1e-3)


def test_what_each_guidance_mode_asks_of_the_network():
    expected = {
        "collapsed": [(FRAMES, 1, 8), (FRAMES, TOKENS, 8)],
        "in_turn": [(FRAMES, TOKENS, 8)] * 2,
        "together": [(2 * FRAMES, TOKENS, 8)],
    }
    for mode, shapes in expected.items():
        denoiser, _ = make()
        calls = count_calls(denoiser)
        sample(denoiser, tokens(), settings(steps=2, guidance_mode=mode, zero_init=False))
        assert calls == shapes * 2
    denoiser, _ = make()
    calls = count_calls(denoiser)
    sample(denoiser, tokens(), settings(steps=2, guidance=1.0, zero_init=False))
    assert calls == [(FRAMES, TOKENS, 8)] * 2


@pytest.mark.parametrize("zero_steps", [0, 1])
def test_zero_init_leaves_the_first_steps_out(zero_steps):
    denoiser, _ = make()
    calls = count_calls(denoiser)
    result = sample(denoiser, tokens(), settings(guidance=1.0, zero_steps=zero_steps))
    assert len(calls) == 3 - zero_steps
    rest = sigmas(4, 3.0)[1 + zero_steps :]
    later = sample(denoiser, tokens(), settings(guidance=1.0, zero_init=False), sigmas=rest)
    assert torch.equal(result, later)
    assert not torch.allclose(result, sample(denoiser, tokens(), settings(guidance=1.0, zero_init=False)), atol=1e-3)


def test_the_seed_decides_everything_whatever_the_batch():
    denoiser, adapter = make()
    both = sample(denoiser, tokens(clips=2), settings(noise="independent"), adapter=adapter)
    again = sample(denoiser, tokens(clips=2), settings(noise="independent"), adapter=adapter)
    assert torch.equal(both, again)
    first = sample(denoiser, tokens(clips=2)[0], settings(noise="independent"), adapter=adapter)
    torch.testing.assert_close(both[0], first, atol=1e-5, rtol=1e-5)
    other = sample(denoiser, tokens(clips=2), settings(noise="independent", seed=4), adapter=adapter)
    assert not torch.allclose(other, both, atol=1e-2)


@pytest.mark.parametrize("with_adapter", [False, True])
def test_frames_per_call_changes_the_calls_and_nothing_else(with_adapter):
    denoiser, adapter = make()
    adapter = adapter if with_adapter else None
    whole = sample(denoiser, tokens(clips=2), settings(guidance=1.0), adapter=adapter)
    calls = count_calls(denoiser)
    parts = sample(denoiser, tokens(clips=2), settings(guidance=1.0, frames_per_call=2), adapter=adapter)
    torch.testing.assert_close(parts, whole, atol=1e-5, rtol=1e-5)
    assert {shape[0] for shape in calls} == ({FRAMES} if with_adapter else {2})


def test_given_noise_and_levels_are_used():
    denoiser, _ = make()
    noise, levels = torch.randn(1, LATENTS, 4), torch.tensor([1.0, 0.6, 0.0])
    result = sample(denoiser, tokens(), settings(zero_init=False), noise=noise, sigmas=levels)
    same = sample(denoiser, tokens(), settings(zero_init=False, seed=9, steps=9), noise=noise, sigmas=levels)
    assert torch.equal(result, same)
    x = noise.expand(FRAMES, -1, -1)
    one = sample(denoiser, tokens(), settings(guidance=1.0, zero_init=False), noise=x, sigmas=levels[[0, 2]])
    with torch.no_grad():
        velocity = denoiser(x, torch.full((FRAMES,), 1000.0), tokens())
    torch.testing.assert_close(one, euler_step(x, velocity, 1.0, 0.0))


def test_shared_noise_and_equal_pictures_give_equal_frames():
    denoiser, _ = make()
    still = tokens()[:1].expand(FRAMES, -1, -1)
    shared = sample(denoiser, still, settings(noise="shared"))
    torch.testing.assert_close(shared, shared[:1].expand_as(shared), atol=1e-5, rtol=1e-5)
    independent = sample(denoiser, still, settings(noise="independent"))
    assert not torch.allclose(independent[0], independent[1], atol=1e-2)


def test_anchored_frames_stay_and_others_see_them_at_level_zero():
    denoiser, adapter = make()
    seen = []
    denoiser.register_forward_pre_hook(lambda module, given: seen.append((given[0].clone(), given[1].clone())))
    given = torch.randn(FRAMES, LATENTS, 4)
    mask = torch.tensor([False, True, False])
    result = sample(denoiser, tokens(), settings(), adapter=adapter, clean_latents=given, clean_frames=mask)
    assert torch.equal(result[1], given[1])
    assert not torch.allclose(result[0], given[0], atol=1e-2)
    for x, time in seen:
        assert torch.equal(x[1], given[1]) and time[1] == 0.0 and bool((time[[0, 2]] > 0.0).all())
    moved = given.clone()
    moved[1, 0, 0] += 1.0
    other = sample(denoiser, tokens(), settings(), adapter=adapter, clean_latents=moved, clean_frames=mask)
    assert not torch.allclose(other[0], result[0], atol=1e-4)
    moved = given.clone()
    moved[0] += 1.0
    same = sample(denoiser, tokens(), settings(), adapter=adapter, clean_latents=moved, clean_frames=mask)
    assert torch.equal(same, result)


def test_progress_carries_the_data_estimate():
    denoiser, _ = make()
    given, mask = torch.randn(FRAMES, LATENTS, 4), torch.tensor([True, False, False])
    reports = []
    result = sample(
        denoiser, tokens(), settings(), clean_latents=given, clean_frames=mask, progress=lambda *a: reports.append(a)
    )
    assert [(step, total) for step, total, _ in reports] == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert reports[0][2] is None
    assert all(preview.shape == result.shape for _, _, preview in reports[1:])
    torch.testing.assert_close(reports[-1][2], result)
    assert not torch.allclose(reports[1][2], result, atol=1e-3)
    for _, _, preview in reports[1:]:
        assert torch.equal(preview[0], given[0])


def test_cancelling_stops_between_steps():
    denoiser, _ = make()
    calls, checks = count_calls(denoiser), []

    def check():
        checks.append(None)
        if len(checks) == 2:
            raise Cancelled

    with pytest.raises(Cancelled):
        sample(denoiser, tokens(), settings(guidance=1.0, zero_init=False), check=check)
    assert len(calls) == 2


def test_results_need_no_gradient_and_are_float32_for_a_half_precision_network():
    denoiser, adapter = make()
    full = sample(denoiser, tokens(), settings(), adapter=adapter)
    result = sample(denoiser.bfloat16(), tokens(), settings(), adapter=adapter.bfloat16())
    assert result.dtype == torch.float32 and not result.requires_grad and bool(result.isfinite().all())
    assert torch.nn.functional.cosine_similarity(result.flatten(), full.flatten(), dim=0) > 0.99


def test_a_label_changes_the_result():
    denoiser, _ = make(use_label_condition=True)
    label = torch.randn(FRAMES, 3, 8)
    results = [sample(denoiser, tokens(), settings(), label=given) for given in (label, 2 * label)]
    assert not torch.allclose(*results, atol=1e-3)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("tokens", {"tokens": torch.zeros(TOKENS, 8)}),
        ("noise", {"noise": torch.zeros(FRAMES + 1, LATENTS, 4)}),
        ("sigmas", {"sigmas": torch.tensor([0.0, 1.0])}),
        ("clean_frames", {"clean_latents": torch.zeros(FRAMES, LATENTS, 4)}),
        ("clean_latents", {"clean_latents": torch.zeros(2, 2, 4), "clean_frames": torch.ones(FRAMES)}),
        ("frame_times", {"frame_times": torch.zeros(FRAMES + 1)}),
        ("zero_init", {"settings": settings(zero_steps=3)}),
    ],
)
def test_inputs_that_do_not_fit_are_named(name, change):
    given = {"tokens": tokens(), "settings": settings(), **change}
    with pytest.raises(InputError, match=name):
        sample(make()[0], **given)


def test_the_number_of_latents_must_be_known():
    denoiser, _ = make(slot_count=0)
    with pytest.raises(InputError, match="latent_count"):
        sample(denoiser, tokens(), settings())
    assert sample(denoiser, tokens(), settings(latent_count=9)).shape == (FRAMES, 9, 4)


@pytest.mark.parametrize(
    "change",
    [
        {"steps": 0},
        {"guidance": -1.0},
        {"guidance": float("nan")},
        {"time_shift": 0.0},
        {"noise": "white"},
        {"correlation": 2.0},
        {"seed": -1},
        {"guidance_mode": "apart"},
        {"final_sigma": 0.0},
        {"latent_count": 0},
        {"frames_per_call": 0},
        {"zero_steps": -1},
        {"ensemble_size": 0},
        {"ensemble_size": 2.0},
    ],
)
def test_settings_that_cannot_be_used_are_named(change):
    with pytest.raises(InputError, match=next(iter(change))):
        SamplerSettings(**change)
