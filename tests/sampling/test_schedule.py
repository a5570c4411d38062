"""Noise levels: where they start and end, what the shift does, what is refused."""

import math

import pytest
import torch

from shapegen4d_core.errors import InputError
from shapegen4d_core.sampling.schedule import checked_sigmas, shift_sigmas, sigmas, timesteps


@pytest.mark.parametrize("steps", [1, 2, 7, 50])
@pytest.mark.parametrize("shift", [0.5, 1.0, 3.0])
@pytest.mark.parametrize("double", [False, True])
@pytest.mark.parametrize("final", [0.001, None])
def test_levels_descend_from_one_to_zero(steps, shift, double, final):
    levels = sigmas(steps, shift, double, final)
    assert levels.shape == (steps + 1,) and levels.dtype == torch.float32
    assert levels[0] == 1.0 and levels[-1] == 0.0
    assert bool((levels[1:] < levels[:-1]).all())


def test_without_shift_the_levels_are_evenly_spaced():
    torch.testing.assert_close(sigmas(5)[:-1], torch.linspace(1.0, 0.001, 5))
    torch.testing.assert_close(sigmas(5, final_sigma=None), torch.linspace(1.0, 0.0, 6))
    assert torch.equal(sigmas(5, 1.0, parity_double_shift=True), sigmas(5))


def test_the_shift_is_applied_once_or_twice_at_the_low_end():
    def shifted(sigma):
        return 3.0 * sigma / (1.0 + 2.0 * sigma)

    assert sigmas(10, 3.0)[-2].item() == pytest.approx(shifted(0.001), rel=1e-6)
    assert sigmas(10, 3.0, parity_double_shift=True)[-2].item() == pytest.approx(shifted(shifted(0.001)), rel=1e-6)
    middle = sigmas(3, 3.0, final_sigma=None)[1].item()
    assert middle == pytest.approx(shifted(2 / 3), rel=1e-6)


def test_shifts_compose_and_invert():
    levels = torch.linspace(0.0, 1.0, 11, dtype=torch.float64)
    torch.testing.assert_close(shift_sigmas(shift_sigmas(levels, 2.0), 3.0), shift_sigmas(levels, 6.0))
    torch.testing.assert_close(shift_sigmas(shift_sigmas(levels, 2.0), 0.5), levels)
    mu = 1.15
    published = math.exp(mu) / (math.exp(mu) + 1.0 / levels[1:] - 1.0)
    torch.testing.assert_close(shift_sigmas(levels, math.exp(mu))[1:], published)


def test_the_network_is_given_a_thousand_sigma():
    assert torch.equal(timesteps(torch.tensor([1.0, 0.25, 0.0])), torch.tensor([1000.0, 250.0]))


@pytest.mark.parametrize(("name", "given"), [("steps", (0, 1.0)), ("time_shift", (4, 0.0)), ("steps", (2.5, 1.0))])
def test_values_that_make_no_list_are_named(name, given):
    with pytest.raises(InputError, match=name):
        sigmas(*given)


@pytest.mark.parametrize("levels", [[1.0], [1.0, 0.5, 0.5, 0.0], [1.2, 0.0], [1.0, -0.1], [0.0, 1.0], [[1.0, 0.0]]])
def test_lists_that_do_not_descend_are_refused(levels):
    with pytest.raises(InputError, match="sigmas"):
        checked_sigmas(torch.tensor(levels))
