"""The stop button between blocks: seen in time, and gone afterwards."""

import pytest
import torch
from torch import nn

from shapegen4d_core.errors import Cancelled
from shapegen4d_core.models import PRESETS, build, cancelling, layers
from shapegen4d_core.models.cancelling import cancellable
from shapegen4d_core.models.layers import attention
from shapegen4d_core.sampling import sample
from tests.sampling.test_sampler import make, settings, tokens


@pytest.fixture
def clock(monkeypatch):
    """A clock that moves on by ``tick[0]`` seconds with every look at it."""
    now, tick = [0.0], [1.0]

    def monotonic():
        now[0] += tick[0]
        return now[0]

    monkeypatch.setattr(cancelling.time, "monotonic", monotonic)
    return tick


def chain(count):
    network = nn.Sequential(nn.ModuleList(nn.Identity() for _ in range(count)))
    return network, lambda x: [block(x) for block in network[0]]


def test_every_block_is_a_place_to_stop(clock):
    network, run = chain(5)
    seen = []
    with cancellable(lambda: seen.append(1), network, None):
        run(torch.zeros(1))
    assert len(seen) == 5
    run(torch.zeros(1))
    assert len(seen) == 5, "the hooks are taken away"


def test_looks_are_rationed(clock):
    clock[0] = cancelling.INTERVAL / 4
    network, run = chain(40)
    seen = []
    with cancellable(lambda: seen.append(1), network):
        run(torch.zeros(1))
    assert 5 <= len(seen) <= 14


def test_without_a_check_nothing_is_hooked():
    network, _ = chain(3)
    with cancellable(None, network):
        assert not network[0][0]._forward_pre_hooks


@pytest.mark.parametrize("with_adapter", [True, False])
def test_one_step_of_the_sampler_can_be_cancelled(clock, with_adapter):
    denoiser, adapter = make()
    looks = []

    def check():
        looks.append(1)
        if len(looks) == 2:
            raise Cancelled

    with pytest.raises(Cancelled):
        sample(denoiser, tokens(), settings(steps=1, zero_init=False), adapter=adapter if with_adapter else None,
               check=check)  # fmt: skip
    assert not any(module._forward_pre_hooks for module in [*denoiser.modules(), *adapter.modules()])


@pytest.mark.parametrize("part, blocks", [("image_encoder", 24), ("vae", 16), ("denoiser", 36), ("adapter", 36)])
def test_all_blocks_of_the_published_networks_are_found(part, blocks):
    network = getattr(build(PRESETS["step1x-3d"], device="meta", parts=(part,)), part)
    with cancellable(lambda: None, network):
        hooked = sum(bool(module._forward_pre_hooks) for module in network.modules())
    assert hooked >= blocks


@pytest.mark.parametrize("biased", [False, True])
def test_attention_over_many_tokens_is_a_place_to_stop(clock, monkeypatch, biased):
    """In groups of queries while somebody may stop it: the same values, and a look after each."""
    torch.manual_seed(0)
    q, k, v = torch.randn(2, 3, 50, 8), torch.randn(2, 3, 40, 8), torch.randn(2, 3, 40, 8)
    bias = torch.randn(40) if biased else None
    whole = layers.attention(q, k, v, bias)
    seen = []
    monkeypatch.setattr(layers, "PRODUCTS_AT_ONCE", 2 * 3 * 8 * 40 * 7)
    with cancellable(lambda: seen.append(1)):
        torch.testing.assert_close(layers.attention(q, k, v, bias), whole)
    assert len(seen) == 8  # 50 queries in groups of 7
    with cancellable(lambda: seen.append(1)):
        layers.attention(q[..., :7, :], k, v, bias)
    layers.attention(q, k, v, bias)
    assert len(seen) == 8


def test_attention_of_no_rows_can_be_watched():
    with cancellable(lambda: None):
        assert attention(torch.zeros(1, 2, 0, 4), torch.zeros(1, 2, 0, 4), torch.zeros(1, 2, 0, 4)).numel() == 0
