"""The spatiotemporal adapter: invisible when fresh, and each ablation switch does what its definition says."""

import pytest
import torch

from shapegen4d_core.errors import InputError
from shapegen4d_core.models.adapter import SpatioTemporalAdapter, rotate, rotation_table
from shapegen4d_core.models.denoiser import Denoiser
from shapegen4d_core.models.denoiser_config import ADAPTER_ATTENTION, AdapterConfig, DenoiserConfig

LATENTS, TOKENS, WIDTH = 6, 5, 24


def randomise(module, seed, scale=0.3):
    generator = torch.Generator().manual_seed(seed)
    for parameter in module.parameters():
        parameter.data = scale * torch.randn(parameter.shape, generator=generator)
    return module


def base(seed=0):
    config = DenoiserConfig(
        input_channels=5, width=WIDTH, layers=2, num_single_layers=3, num_heads=3, condition_dim=10,
        visual_condition_dim=10,
    )  # fmt: skip
    return randomise(Denoiser(config), seed)


def fresh(denoiser, **changes):
    return SpatioTemporalAdapter(AdapterConfig.for_denoiser(denoiser.config, **changes))


def trained(denoiser, seed=5, **changes):
    return randomise(fresh(denoiser, **changes), seed)


def inputs(frames, seed=1):
    generator = torch.Generator().manual_seed(seed)
    latents = torch.randn(frames, LATENTS, 5, generator=generator)
    visual = torch.randn(frames, TOKENS, 10, generator=generator)
    return latents, torch.full((frames,), 600.0), visual


def bound(attention, frames=4, seed=2):
    """One random layer of each stage bound to random conditions, and a context and latents to feed it."""
    adapter = trained(base(), attention=attention)
    generator = torch.Generator().manual_seed(seed)
    mixer = adapter.bind(torch.randn(frames, WIDTH, generator=generator), frames)
    context = torch.randn(frames, TOKENS, WIDTH, generator=generator)
    return mixer, context, torch.randn(frames, LATENTS, WIDTH, generator=generator)


@pytest.mark.parametrize("frames", [1, 2, 7])
@pytest.mark.parametrize("attention", ADAPTER_ATTENTION)
@pytest.mark.parametrize("every", [1, 2])
def test_a_fresh_adapter_leaves_every_bit_of_the_base(frames, attention, every):
    denoiser = base()
    adapter = fresh(denoiser, attention=attention, every=every)
    latents, _, visual = inputs(frames)
    timestep = torch.linspace(1000.0, 0.0, frames)
    plain = denoiser(latents, timestep, visual)
    assert torch.equal(denoiser(latents, timestep, visual, adapter=adapter, frames=frames), plain)
    adapter.copy_single_blocks(denoiser)
    assert torch.equal(denoiser(latents, timestep, visual, adapter=adapter, frames=frames), plain)


@pytest.mark.parametrize("attention", ADAPTER_ATTENTION)
def test_a_trained_adapter_changes_the_result_and_strength_scales_it(attention):
    denoiser = base()
    adapter, (latents, timestep, visual) = trained(denoiser, attention=attention), inputs(4)
    plain = denoiser(latents, timestep, visual)

    def moved(strength):
        result = denoiser(latents, timestep, visual, adapter=adapter, frames=4, adapter_strength=strength)
        return (result - plain).abs().max().item()

    assert moved(0.0) == 0.0
    assert 0.0 < moved(1e-3) < 0.1 * moved(1.0)


def test_the_three_kinds_of_attention_differ():
    denoiser, (latents, timestep, visual) = base(), inputs(4)
    results = [
        denoiser(latents, timestep, visual, adapter=trained(denoiser, attention=kind), frames=4)
        for kind in ADAPTER_ATTENTION
    ]
    for first, second in ((0, 1), (0, 2), (1, 2)):
        assert not torch.allclose(results[first], results[second], atol=1e-2)


@pytest.mark.parametrize("attention", ADAPTER_ATTENTION)
def test_what_a_latent_can_see(attention):
    """Change one thing in frame 3 and look which latents of frame 0 move, after one dual-stage layer."""
    mixer, context, latents = bound(attention)
    _, before = mixer.after_dual(0, context, latents)
    other_latent, own_latent, image = latents.clone(), latents.clone(), context.clone()
    for changed, token in ((other_latent, 4), (own_latent, 1), (image, 0)):
        changed[3, token, 0] += 2.0

    def moved(y, x):
        return (mixer.after_dual(0, y, x)[1][0, 1] - before[0, 1]).abs().max().item() > 1e-6

    assert moved(context, own_latent)
    assert moved(context, other_latent) == (attention != "temporal")
    assert moved(image, latents) == (attention == "joint")


def test_shape_attention_leaves_the_image_tokens_alone():
    mixer, context, latents = bound("shape")
    assert torch.equal(mixer.after_dual(0, context, latents)[0], context)
    z = torch.cat([context, latents], 1)
    after = mixer.after_single(0, z, TOKENS)
    assert torch.equal(after[:, :TOKENS], context)
    assert not torch.allclose(after[:, TOKENS:], latents, atol=1e-2)


def test_without_image_tokens_joint_and_shape_attention_are_the_same():
    shape, _, latents = bound("shape")
    joint, _, _ = bound("joint")
    nothing = latents[:, :0]
    torch.testing.assert_close(joint.after_dual(1, nothing, latents)[1], shape.after_dual(1, nothing, latents)[1])


def test_joint_attention_is_permutation_equivariant_in_latents():
    denoiser, (latents, timestep, visual) = base(), inputs(3)
    adapter, order = trained(denoiser), torch.randperm(LATENTS, generator=torch.Generator().manual_seed(3))
    plain = denoiser(latents, timestep, visual, adapter=adapter, frames=3)
    permuted = denoiser(latents[:, order], timestep, visual, adapter=adapter, frames=3)
    torch.testing.assert_close(permuted, plain[:, order], atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize("attention", ADAPTER_ATTENTION)
def test_clips_of_a_batch_do_not_see_each_other(attention):
    denoiser = base()
    adapter, (latents, _, visual) = trained(denoiser, attention=attention), inputs(6)
    timestep = torch.tensor([900.0, 0.0, 900.0, 400.0, 400.0, 400.0])
    both = denoiser(latents, timestep, visual, adapter=adapter, frames=3)
    for clip in (slice(0, 3), slice(3, 6)):
        alone = denoiser(latents[clip], timestep[clip], visual[clip], adapter=adapter, frames=3)
        torch.testing.assert_close(both[clip], alone, atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize("attention", ADAPTER_ATTENTION)
def test_only_differences_of_frame_times_matter_and_their_order_does(attention):
    denoiser, (latents, timestep, visual) = base(), inputs(4)
    adapter = trained(denoiser, attention=attention)

    def run(times):
        return denoiser(latents, timestep, visual, adapter=adapter, frames=4, frame_times=times)

    default = denoiser(latents, timestep, visual, adapter=adapter, frames=4)
    torch.testing.assert_close(run(torch.arange(4) + 2.5), default, atol=5e-5, rtol=1e-4)
    assert not torch.allclose(run(torch.arange(4) * 1.7), default, atol=1e-3)
    assert not torch.allclose(run(torch.tensor([3.0, 1.0, 2.0, 0.0])), default, atol=1e-3)


def test_a_whole_clip_may_be_reversed_together_with_its_times():
    denoiser, (latents, timestep, visual) = base(), inputs(4)
    adapter, times = trained(denoiser), torch.tensor([0.0, 0.5, 2.0, 3.0])
    plain = denoiser(latents, timestep, visual, adapter=adapter, frames=4, frame_times=times)
    back = denoiser(latents.flip(0), timestep, visual.flip(0), adapter=adapter, frames=4, frame_times=times.flip(0))
    torch.testing.assert_close(back.flip(0), plain, atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize("attention", ADAPTER_ATTENTION)
def test_the_collapse_stays_exact_with_an_adapter(attention):
    denoiser, (latents, timestep, _) = base(), inputs(4)
    adapter = trained(denoiser, attention=attention)
    plain = denoiser(latents, timestep, torch.zeros(4, 29, 10), adapter=adapter, frames=4)
    collapsed = denoiser(latents, timestep, torch.zeros(4, 1, 10), adapter=adapter, frames=4, token_weight=29.0)
    torch.testing.assert_close(collapsed, plain, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("attention", ADAPTER_ATTENTION)
def test_rows_nobody_reads_are_skipped_and_nothing_changes(attention, monkeypatch):
    denoiser, (latents, timestep, visual) = base(), inputs(3)
    adapter = trained(denoiser, attention=attention)
    rows = {"block": [], "layer": []}
    last = {
        "block": denoiser.dit_model.single_transformer_blocks[-1],
        "layer": adapter.single["2"],
    }
    for name, module in last.items():
        module.attn.norm_q.register_forward_hook(lambda m, i, result, name=name: rows[name].append(result.shape[1]))
    skipped = denoiser(latents, timestep, visual, adapter=adapter, frames=3)
    assert rows["layer"] == [LATENTS]
    assert rows["block"] == ([LATENTS, TOKENS] if attention == "joint" else [LATENTS])
    for module in last.values():
        full = module.forward

        def every_row(z, condition, mix, parts=(slice(None),), strength=1.0, full=full):
            return tuple(full(z, condition, mix, strength=strength)[0][:, part] for part in parts)

        monkeypatch.setattr(module, "forward", every_row)
    complete = denoiser(latents, timestep, visual, adapter=adapter, frames=3)
    torch.testing.assert_close(skipped, complete, atol=2e-6, rtol=1e-5)


def test_training_moves_only_the_adapter_and_reaches_all_of_it():
    denoiser, (latents, timestep, visual) = base().requires_grad_(False), inputs(4)
    adapter = fresh(denoiser)

    def loss():
        return denoiser(latents, timestep, visual, adapter=adapter, frames=4).square().mean()

    optimiser = torch.optim.SGD(adapter.parameters(), 1e-2)
    first = loss()
    first.backward()
    moving = {name for name, p in adapter.named_parameters() if p.grad is not None and p.grad.abs().max() > 0}
    assert moving == {name for name, _ in adapter.named_parameters() if ".proj_out." in name or name.startswith("proj")}
    optimiser.step()
    optimiser.zero_grad()
    second = loss()
    second.backward()
    assert second < first
    still = {name for name, p in adapter.named_parameters() if p.grad is None or not p.grad.abs().max() > 0}
    assert {name for name in still if not name.endswith("to_k.bias")} == set()
    assert all(p.grad is None for p in denoiser.parameters())


@pytest.mark.parametrize("channels", [8, 9])
def test_rotation_keeps_lengths_and_depends_on_differences(channels):
    generator = torch.Generator().manual_seed(4)
    q, k = (torch.randn(1, 1, 1, channels, generator=generator).expand(5, 1, 1, -1) for _ in range(2))
    table = rotation_table(torch.arange(5.0), channels, 100.0)
    a, b = rotate(q, table), rotate(k, table)
    torch.testing.assert_close(a.norm(dim=-1), q.norm(dim=-1))
    assert torch.equal(a[0], q[0])
    products = torch.einsum("ijhd,ljhd->il", a, b)
    for offset in range(-4, 5):
        line = products.diagonal(offset)
        torch.testing.assert_close(line, line[:1].expand_as(line))
    assert (products.diagonal(1)[0] - products.diagonal(-1)[0]).abs() > 1e-2


@pytest.mark.parametrize(("every", "dual", "single"), [(1, "01", "012"), (2, "1", "1"), (3, "", "2")])
def test_layers_follow_every_nth_block_of_each_stage(every, dual, single):
    adapter = fresh(base(), every=every)
    assert list(adapter.dual) == list(dual) and list(adapter.single) == list(single)


def test_an_adapter_that_does_not_fit_is_refused():
    denoiser, (latents, timestep, visual) = base(), inputs(4)
    with pytest.raises(InputError, match="num_single_layers"):
        adapter = fresh(denoiser, num_single_layers=5)
        denoiser(latents, timestep, visual, adapter=adapter, frames=4)
    with pytest.raises(InputError, match="frames is 3"):
        denoiser(latents, timestep, visual, adapter=fresh(denoiser), frames=3)
    with pytest.raises(InputError, match="frame_times"):
        denoiser(latents, timestep, visual, adapter=fresh(denoiser), frames=4, frame_times=torch.zeros(3))
    for change in ({"attention": "global"}, {"rope_theta": 1.0}, {"every": 0}, {"num_heads": 5}):
        with pytest.raises(InputError, match=next(iter(change))):
            fresh(denoiser, **change)


def test_the_configuration_survives_its_dictionary():
    config = AdapterConfig(width=64, num_heads=4, every=2, attention="shape")
    assert AdapterConfig.from_dict(config.to_dict()) == config
    with pytest.raises(InputError, match="window"):
        AdapterConfig.from_dict({"window": 3})
