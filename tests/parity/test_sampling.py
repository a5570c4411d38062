"""The sampler against the published pipeline: states after every step, given its image tokens and noise."""

import json

import pytest
import torch
from safetensors.torch import load_file

from shapegen4d_core.models.denoiser import Denoiser
from shapegen4d_core.models.denoiser_config import DenoiserConfig
from shapegen4d_core.sampling import SamplerSettings, sample
from shapegen4d_core.sampling.guidance import GUIDANCE_MODES
from shapegen4d_core.sampling.schedule import sigmas, timesteps

TOLERANCE = 5e-5


@pytest.fixture
def data(golden):
    return golden("pipeline")


@pytest.fixture
def denoiser(data):
    folder = data.folder / "transformer"
    network = Denoiser(DenoiserConfig.from_dict(json.loads((folder / "config.json").read_text(encoding="utf-8"))))
    (weights,) = folder.glob("*.safetensors")
    network.load_state_dict(load_file(weights))
    return network


def settings(case, **changes):
    return SamplerSettings(
        steps=case["steps"],
        guidance=case["guidance"],
        time_shift=case["shift"],
        zero_init=case["use_zero_init"],
        zero_steps=case["zero_steps"],
        double_shift=True,
        **changes,
    )


def test_schedules(data, close):
    for index, case in enumerate(data.config["cases"]):
        levels = sigmas(case["steps"], case["shift"], parity_double_shift=True)
        close(levels, data.io[f"case{index}_sigmas"], 1e-6)
        close(timesteps(levels), data.io[f"case{index}_timesteps"], 1e-3)


@pytest.mark.parametrize("mode", GUIDANCE_MODES)
def test_final_latents(data, denoiser, close, mode):
    for index, case in enumerate(data.config["cases"]):
        latents = sample(
            denoiser,
            data.io["image_embeds"],
            settings(case, guidance_mode=mode),
            noise=data.io["initial_latents"],
        )
        close(latents, data.io[f"case{index}_latents"], TOLERANCE)


def test_the_state_after_every_step(data, denoiser, close):
    """The data estimate of step i is state - sigma * velocity, where state is the one before the step."""
    for index, case in enumerate(data.config["cases"]):
        reports = []
        sample(
            denoiser,
            data.io["image_embeds"],
            settings(case),
            noise=data.io["initial_latents"],
            progress=lambda step, total, preview, reports=reports: reports.append(preview),
        )
        levels, velocities = data.io[f"case{index}_sigmas"], data.io[f"case{index}_velocities"]
        states = torch.cat([data.io["initial_latents"][None], data.io[f"case{index}_states"]])
        assert len(reports) == len(velocities)
        for step, preview in enumerate(reports):
            if preview is None:
                assert velocities[step].abs().max() == 0
            else:
                close(preview, states[step] - levels[step] * velocities[step], TOLERANCE)
