"""Noise levels, Euler steps and noising against the published scheduler; sizes are read from tensor names."""

import math
import re

import pytest

from shapegen4d_core.sampling.sampler import euler_step
from shapegen4d_core.sampling.schedule import shift_sigmas, sigmas, timesteps

LEVEL, TIME, STATE = 1e-6, 1e-3, 1e-6
NUMBER = r"([0-9.]+)"


@pytest.fixture
def data(golden):
    return golden("scheduler")


def named(data, pattern):
    """(values in the name, tensor) of every tensor whose whole name matches; never empty."""
    found = [(match.groups(), value) for name, value in data.io.items() if (match := re.fullmatch(pattern, name))]
    assert found, f"the file holds nothing named {pattern}"
    return found


def test_levels_with_the_published_double_shift(data, close):
    for (shift, steps), expected in named(data, rf"sigmas_shift{NUMBER}_steps(\d+)"):
        levels = sigmas(int(steps), float(shift), parity_double_shift=True)
        close(levels, expected, LEVEL)
        close(timesteps(levels), data.io[f"timesteps_shift{shift}_steps{steps}"], TIME)


def test_levels_with_a_shift_of_mu(data, close):
    for (mu, steps), expected in named(data, rf"sigmas_mu{NUMBER}_steps(\d+)"):
        levels = sigmas(int(steps), math.exp(float(mu)))
        close(levels, expected, LEVEL)
        close(timesteps(levels), data.io[f"timesteps_mu{mu}_steps{steps}"], TIME)


def test_the_single_shift_is_that_of_a_given_list(data, close):
    for (shift,), expected in named(data, rf"explicit_sigmas_shift{NUMBER}"):
        close(shift_sigmas(data.io["explicit_in"], float(shift)), expected[:-1], LEVEL)
        close(timesteps(expected), data.io[f"explicit_timesteps_shift{shift}"], TIME)


def test_training_levels(data, close):
    count = data.config["num_train_timesteps"]
    for (shift,), expected in named(data, rf"train_sigmas_shift{NUMBER}"):
        close(sigmas(count, float(shift), final_sigma=1.0 / count)[:-1], expected, LEVEL)
        ends = data.io[f"sigma_min_max_shift{shift}"]
        close(expected[[-1, 0]].to(ends), ends, LEVEL)


def test_euler_states(data, close):
    levels = sigmas(len(data.io["euler_velocities"]), float(data.config["euler_shift"]), True).tolist()
    x = data.io["euler_x0"]
    for index, (velocity, state) in enumerate(zip(data.io["euler_velocities"], data.io["euler_states"])):
        x = euler_step(x, velocity, levels[index], levels[index + 1])
        close(x, state, STATE)


def test_one_step_to_zero_undoes_the_noising(data, close):
    """x - sigma * (noise - data) is the data again: the sampler's convention is the training's."""
    level = timesteps_to_levels(data)
    target = data.io["noising_velocity_target"]
    close(data.io["noising_noise"] - data.io["noising_data"], target, STATE)
    for x, v, sigma, expected in zip(data.io["noising_x"], target, level, data.io["noising_data"]):
        close(euler_step(x, v, sigma, 0.0), expected, 1e-5)


def timesteps_to_levels(data):
    return (data.io["noising_timesteps"].double() / data.config["num_train_timesteps"]).tolist()
