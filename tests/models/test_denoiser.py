"""The denoiser: its symmetries, its conditions, the exact savings, and what it refuses."""

import math

import pytest
import torch

from shapegen4d_core.errors import InputError
from shapegen4d_core.models.denoiser import Denoiser
from shapegen4d_core.models.denoiser_blocks import SelfAttention
from shapegen4d_core.models.denoiser_config import DenoiserConfig
from shapegen4d_core.models.layers import attention, attention_implementation, sinusoid

FRAMES, LATENTS, TOKENS = 3, 7, 6


def make(seed=0, **changes):
    """A small denoiser in which every parameter is random, so that nothing hides behind a zero."""
    sizes = dict(
        input_channels=5,
        width=24,
        layers=2,
        num_single_layers=3,
        num_heads=3,
        condition_dim=10,
        visual_condition_dim=10,
        label_condition_dim=10,
    )
    denoiser = Denoiser(DenoiserConfig(**{**sizes, **changes}))
    generator = torch.Generator().manual_seed(seed)
    for parameter in denoiser.parameters():
        parameter.data = 0.3 * torch.randn(parameter.shape, generator=generator)
    return denoiser


def inputs(seed=1, frames=FRAMES):
    generator = torch.Generator().manual_seed(seed)
    latents = torch.randn(frames, LATENTS, 5, generator=generator)
    visual = torch.randn(frames, TOKENS, 10, generator=generator)
    return latents, torch.linspace(900.0, 100.0, frames), visual


@pytest.mark.parametrize("masked", [False, True])
def test_explicit_attention_has_the_values_and_gradients_of_the_fused_kernel(masked):
    generator = torch.Generator().manual_seed(0)
    q, k, v = (torch.randn(2, 3, 11, 8, generator=generator, requires_grad=True) for _ in range(3))
    bias = torch.randn(11, generator=generator) if masked else None
    weight = torch.randn(2, 3, 11, 8, generator=generator)
    results = {}
    for name in ("sdpa", "explicit"):
        with attention_implementation(name):
            value = attention(q, k, v, bias)
        results[name] = [value, *torch.autograd.grad((value * weight).sum(), (q, k, v))]
    for fused, explicit in zip(results["sdpa"], results["explicit"]):
        torch.testing.assert_close(explicit, fused, atol=2e-6, rtol=1e-5)
    logits = torch.einsum("bhqd,bhkd->bhqk", q, k) / math.sqrt(8)
    logits = logits if bias is None else logits + bias
    by_hand = torch.einsum("bhqk,bhkd->bhqd", logits.softmax(-1), v)
    torch.testing.assert_close(results["sdpa"][0], by_hand, atol=2e-6, rtol=1e-5)


def test_the_whole_network_agrees_between_the_two_attentions():
    denoiser, (latents, timestep, visual) = make(), inputs()
    fused = denoiser(latents, timestep, visual)
    with attention_implementation("explicit"):
        explicit = denoiser(latents, timestep, visual)
    torch.testing.assert_close(explicit, fused, atol=1e-5, rtol=1e-5)


def test_an_unknown_attention_is_refused():
    with pytest.raises(InputError, match="fast"), attention_implementation("fast"):
        pass


def test_the_sinusoid_has_sines_first():
    features = sinusoid(torch.tensor([0.0, 2.0]), 6)
    assert torch.equal(features[0], torch.tensor([0.0, 0.0, 0.0, 1.0, 1.0, 1.0]))
    frequencies = torch.tensor([1.0, 10000.0 ** (-1 / 3), 10000.0 ** (-2 / 3)])
    torch.testing.assert_close(features[1], torch.cat([(2 * frequencies).sin(), (2 * frequencies).cos()]))


def test_latents_may_be_permuted_and_image_tokens_too():
    denoiser, (latents, timestep, visual) = make(), inputs()
    plain = denoiser(latents, timestep, visual)
    order, token_order = torch.randperm(LATENTS), torch.randperm(TOKENS)
    permuted = denoiser(latents[:, order], timestep, visual[:, token_order])
    torch.testing.assert_close(permuted, plain[:, order], atol=1e-5, rtol=1e-5)
    assert not torch.allclose(permuted, plain, atol=1e-2)


def test_slots_break_the_symmetry_between_latents():
    denoiser, (latents, timestep, visual) = make(slot_count=LATENTS), inputs()
    order = torch.arange(LATENTS).roll(1)
    plain = denoiser(latents, timestep, visual)
    assert not torch.allclose(denoiser(latents[:, order], timestep, visual), plain[:, order], atol=1e-2)
    assert "dit_model.slot_embed" in denoiser.state_dict()
    assert "dit_model.slot_embed" not in make().state_dict()
    with pytest.raises(InputError, match="slots"):
        denoiser(torch.cat([latents, latents], 1), timestep, visual)


def test_frames_do_not_see_each_other_and_have_timesteps_of_their_own():
    denoiser, (latents, timestep, visual) = make(), inputs()
    together = denoiser(latents, timestep, visual)
    for t in range(FRAMES):
        alone = denoiser(latents[t : t + 1], timestep[t : t + 1], visual[t : t + 1])
        torch.testing.assert_close(together[t : t + 1], alone, atol=1e-5, rtol=1e-5)
    changed = timestep.clone()
    changed[1] = 300.0
    moved = (denoiser(latents, changed, visual) - together).abs().amax((1, 2))
    assert moved[1] > 1e-2 and moved[0] < 1e-5 and moved[2] < 1e-5


@pytest.mark.parametrize("changes", [{}, {"visual_condition_dim": 9, "use_label_condition": True}])
def test_one_weighted_token_stands_for_many_equal_ones(changes):
    denoiser, (latents, timestep, _) = make(**changes), inputs()
    dim = denoiser.config.visual_condition_dim
    label = torch.randn(FRAMES, 3, 10) if denoiser.config.use_label_condition else None
    for one in (torch.zeros(FRAMES, 1, dim), torch.randn(FRAMES, 1, dim)):
        plain = denoiser(latents, timestep, one.expand(-1, 37, -1), label)
        collapsed = denoiser(latents, timestep, one, label, token_weight=37.0)
        torch.testing.assert_close(collapsed, plain, atol=1e-5, rtol=1e-5)
        assert not torch.allclose(denoiser(latents, timestep, one, label), plain, atol=1e-4)


def test_the_collapse_has_the_gradients_of_the_plain_network():
    denoiser, (latents, timestep, _) = make(), inputs()
    grads = []
    for tokens, weight in ((torch.zeros(FRAMES, 12, 10), 1.0), (torch.zeros(FRAMES, 1, 10), 12.0)):
        denoiser.zero_grad()
        denoiser(latents, timestep, tokens, token_weight=weight).square().mean().backward()
        grads.append([parameter.grad.clone() for parameter in denoiser.parameters()])
    for plain, collapsed in zip(*grads):
        torch.testing.assert_close(collapsed, plain, atol=1e-4, rtol=1e-3)


def test_the_last_block_has_no_image_queries_and_nothing_changes(monkeypatch):
    denoiser, (latents, timestep, visual) = make(), inputs()
    lengths = []
    norm = denoiser.dit_model.single_transformer_blocks[-1].attn.norm_q
    norm.register_forward_hook(lambda module, given, result: lengths.append(result.shape[1]))
    skipped = denoiser(latents, timestep, visual)
    assert lengths == [LATENTS]
    for block in denoiser.dit_model.single_transformer_blocks:
        full = block.forward

        def every_row(z, condition, mix, parts=(slice(None),), full=full):
            return tuple(full(z, condition, mix)[0][:, rows] for rows in parts)

        monkeypatch.setattr(block, "forward", every_row)
    complete = denoiser(latents, timestep, visual)
    assert lengths == [LATENTS, LATENTS + TOKENS]
    torch.testing.assert_close(skipped, complete, atol=2e-6, rtol=1e-5)


def test_label_tokens_count_and_are_required():
    denoiser, (latents, timestep, visual) = make(use_label_condition=True, label_condition_dim=4), inputs()
    label = torch.randn(FRAMES, 3, 4)
    first, second = (denoiser(latents, timestep, visual, tokens) for tokens in (label, label + 1.0))
    assert not torch.allclose(first, second, atol=1e-3)
    with pytest.raises(InputError, match="label is missing"):
        denoiser(latents, timestep, visual)
    with pytest.raises(InputError, match="no label condition"):
        make()(latents, timestep, visual, label)


def test_gradients_reach_every_parameter():
    denoiser = make(slot_count=LATENTS, visual_condition_dim=9, use_label_condition=True, label_condition_dim=4)
    latents, timestep, _ = inputs()
    out = denoiser(latents, timestep, torch.randn(FRAMES, TOKENS, 9), torch.randn(FRAMES, 3, 4))
    out.square().mean().backward()
    missing = {name for name, p in denoiser.named_parameters() if p.grad is None or not p.grad.abs().max() > 0}
    # Softmax ignores what is added to all logits of one query, so key biases have no gradient of note.
    assert {name for name in missing if not name.endswith(("to_k.bias", "add_k_proj.bias"))} == set()


def test_identity_init_starts_at_zero_output_and_learns():
    config = DenoiserConfig(
        input_channels=5, width=24, layers=1, num_single_layers=1, num_heads=3, condition_dim=10,
        visual_condition_dim=10, identity_init=True,
    )  # fmt: skip
    denoiser, (latents, timestep, visual) = Denoiser(config), inputs()
    assert denoiser(latents, timestep, visual).abs().max() == 0
    optimiser = torch.optim.Adam(denoiser.parameters(), 1e-2)
    losses = []
    for _ in range(20):
        loss = (denoiser(latents, timestep, visual) - latents).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]


def test_float16_values_stay_finite():
    denoiser, (latents, timestep, visual) = make(), inputs()
    with torch.no_grad():
        first = denoiser.dit_model.transformer_blocks[0]
        first.ff_context.net[2].bias.copy_(60000.0 * torch.linspace(-1.0, 1.0, 24))
        first.norm1_context.linear.bias.fill_(4.0)
    out = denoiser.half()(latents.half(), timestep, visual.half())
    assert out.dtype == torch.float16 and bool(out.isfinite().all())


def test_layers_come_from_the_given_namespace():
    made = []

    class Ops:
        def __getattr__(self, name):
            made.append(name)
            return getattr(torch.nn, name)

    denoiser = Denoiser(make().config, ops=Ops(), dtype=torch.float64, device="meta")
    assert set(made) == {"Linear", "LayerNorm", "RMSNorm"}
    assert {p.dtype for p in denoiser.parameters()} == {torch.float64}
    assert {p.device.type for p in denoiser.parameters()} == {"meta"}
    assert isinstance(denoiser.dit_model.single_transformer_blocks[0].attn, SelfAttention)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("latents", {"latents": torch.zeros(FRAMES, LATENTS, 4)}),
        ("visual", {"visual": torch.zeros(FRAMES + 1, TOKENS, 10)}),
        ("timestep", {"timestep": torch.zeros(1)}),
        ("token_weight", {"token_weight": 0.0}),
    ],
)
def test_inputs_that_do_not_fit_are_named(name, change):
    latents, timestep, visual = inputs()
    given = {"latents": latents, "timestep": timestep, "visual": visual, **change}
    with pytest.raises(InputError, match=name):
        make()(**given)


@pytest.mark.parametrize(
    "change",
    [
        {"num_heads": 7},
        {"width": 0},
        {"layers": -1},
        {"use_visual_condition": False},
        {"use_caption_condition": True},
        {"multi_condition_type": "cross"},
        {"width": 15, "num_heads": 5},
    ],
)
def test_sizes_that_cannot_be_built_are_named(change):
    with pytest.raises(InputError, match=next(iter(change))):
        DenoiserConfig(**change)


def test_configurations_survive_their_dictionary():
    config = DenoiserConfig(width=64, num_heads=4, slot_count=8)
    assert DenoiserConfig.from_dict(config.to_dict()) == config
    assert DenoiserConfig.from_dict({"weights": None, "_class_name": "x"}) == DenoiserConfig()
    with pytest.raises(InputError, match="depth"):
        DenoiserConfig.from_dict({"depth": 3})
