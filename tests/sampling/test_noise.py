"""Start noise: what frames share, and that no chunking changes a value."""

import pytest
import torch

from shapegen4d_core.errors import InputError
from shapegen4d_core.sampling.noise import draw

SHAPE = (3, 5, 64, 8)
MODES = [("shared", 1.0), ("independent", 0.0), ("correlated", 0.7)]


def correlation_of(a, b):
    return torch.corrcoef(torch.stack([a.flatten(), b.flatten()]))[0, 1].item()


@pytest.mark.parametrize(("mode", "expected"), MODES)
def test_frames_are_unit_normal_and_share_what_the_mode_says(mode, expected):
    noise = draw(SHAPE, mode, 0.7, seed=11)
    assert noise.shape == SHAPE and noise.dtype == torch.float32
    assert abs(noise.mean().item()) < 0.1 and abs(noise.std().item() - 1.0) < 0.1
    assert correlation_of(noise[0, 0], noise[0, 3]) == pytest.approx(expected, abs=0.1)
    assert correlation_of(noise[0], noise[1]) == pytest.approx(0.0, abs=0.1)


def test_shared_noise_is_one_draw():
    noise = draw(SHAPE, "shared")
    assert torch.equal(noise, noise[:, :1].expand(SHAPE))


def test_correlated_noise_has_the_other_two_as_its_ends():
    assert torch.equal(draw(SHAPE, "correlated", 1.0, 5), draw(SHAPE, "shared", seed=5))
    assert torch.equal(draw(SHAPE, "correlated", 0.0, 5), draw(SHAPE, "independent", seed=5))
    mixed = draw(SHAPE, "correlated", 0.25, 5)
    expected = 0.5 * draw(SHAPE, "shared", seed=5) + 0.75**0.5 * draw(SHAPE, "independent", seed=5)
    torch.testing.assert_close(mixed, expected)


@pytest.mark.parametrize(("mode", "correlation"), MODES)
def test_a_part_drawn_alone_equals_the_part_of_the_whole(mode, correlation):
    whole = draw(SHAPE, mode, correlation, seed=7)
    part = draw((1, 2, 64, 8), mode, correlation, seed=7, first_clip=2, first_frame=1)
    assert torch.equal(part, whole[2:3, 1:3])


def test_the_seed_decides_and_the_global_generator_does_not():
    torch.manual_seed(1)
    first = draw(SHAPE, "independent", seed=2**64 - 1)
    torch.manual_seed(2)
    assert torch.equal(draw(SHAPE, "independent", seed=2**64 - 1), first)
    assert not torch.equal(draw(SHAPE, "independent", seed=0), first)


@pytest.mark.parametrize(
    ("name", "given"),
    [("noise", ("same", 1.0, 0)), ("correlation", ("correlated", 1.5, 0)), ("seed", ("shared", 1.0, -1))],
)
def test_values_out_of_range_are_named(name, given):
    with pytest.raises(InputError, match=name):
        draw(SHAPE, *given)
