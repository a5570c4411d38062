"""Picture to mesh against golden/pipeline: crop, tokens, guided sampling, decoding, grid, marching cubes."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy.spatial import cKDTree

from shapegen4d_core.decoding.dense import Dense
from shapegen4d_core.decoding.grid import Grid, GridSample
from shapegen4d_core.decoding.memory import ChunkedField
from shapegen4d_core.decoding.published import extract_published
from shapegen4d_core.models import load_denoiser, load_image_encoder, load_vae
from shapegen4d_core.models.preprocess import crop_to_object, pixel_values
from shapegen4d_core.sampling import SamplerSettings, sample, sigmas
from shapegen4d_core.sampling.guidance import guided_velocity
from shapegen4d_core.sampling.sampler import euler_step

FEATURES = 1e-5
FIRST_VELOCITIES = 2e-5
LATENTS = 5e-5
GRID = 1e-5
VERTICES = 1e-6


@pytest.fixture(scope="module")
def case(golden):
    data = golden("pipeline")
    with torch.no_grad():
        yield SimpleNamespace(
            io=data.io,
            config=data.config,
            cases=list(enumerate(data.config["cases"])),
            encoder=load_image_encoder(data.folder / "visual_encoder" / "weights.safetensors"),
            denoiser=load_denoiser(data.folder / "transformer" / "weights.safetensors"),
            vae=load_vae(data.folder / "vae" / "weights.safetensors"),
        )


def test_picture_to_tokens(case, close):
    background = tuple(case.config["background_color"])
    prepared = crop_to_object(case.io["image"].numpy(), case.config["foreground_ratio"], background)
    np.testing.assert_array_equal(prepared, case.io["prepared_image"].numpy())
    tokens = case.encoder.tokens(pixel_values(prepared, case.encoder.config))
    close(tokens, case.io["image_embeds"], FEATURES)


@pytest.mark.parametrize("mode", ["together", "in_turn", "collapsed"])
def test_each_step(case, close, mode):
    for number, settings in case.cases:
        levels = sigmas(settings["steps"], settings["shift"], parity_double_shift=True)
        close(levels, case.io[f"case{number}_sigmas"], 1e-6)
        states = torch.cat([case.io["initial_latents"][None], case.io[f"case{number}_states"]])
        for step in range(settings["steps"]):
            timestep = case.io[f"case{number}_timesteps"][step].expand(1)
            velocity = guided_velocity(
                case.denoiser, states[step], timestep, case.io["image_embeds"], None, settings["guidance"], mode
            )
            if settings["use_zero_init"] and step <= settings["zero_steps"]:
                velocity = torch.zeros_like(velocity)
            close(velocity, case.io[f"case{number}_velocities"][step], FIRST_VELOCITIES)
            moved = euler_step(states[step], velocity, float(levels[step]), float(levels[step + 1]))
            close(moved, states[step + 1], FIRST_VELOCITIES)


def test_sampling_from_noise_to_latents(case, close):
    for number, settings in case.cases:
        result = sample(
            case.denoiser,
            case.io["image_embeds"],
            SamplerSettings(
                steps=settings["steps"],
                guidance=settings["guidance"],
                time_shift=settings["shift"],
                double_shift=True,
                zero_init=settings["use_zero_init"],
                zero_steps=settings["zero_steps"],
            ),
            noise=case.io["initial_latents"],
        )
        close(result, case.io[f"case{number}_latents"], LATENTS)


def test_latents_to_mesh(case, close):
    latents = case.io[f"case{case.cases[-1][0]}_latents"]
    field = case.vae.field(case.vae.decode(latents))
    grid = Grid(case.config["octree_resolution"], case.config["bounds"])
    sampled = Dense(grid)(ChunkedField(field, 1 << 14, case.config["mc_level"]))
    close(sampled.values, case.io["grid"], GRID)
    vertices, faces = extract_published(GridSample(grid, case.io["grid"], 0))
    expected = case.io["vertices"].numpy()
    near = cKDTree(expected).query_ball_point(np.concatenate([vertices, expected]), VERTICES)
    assert len(vertices) == len(expected) and all(near)
    place = np.array([min(group) for group in near])  # vertices at one place count as one
    found, wanted = place[: len(vertices)][faces], place[len(vertices) :][case.io["faces"].numpy()]
    assert cycles(found) == cycles(wanted)


def cycles(faces: np.ndarray) -> list[tuple[int, ...]]:
    """Faces [F,3] sorted, each rolled to start at its lowest index, which keeps its orientation."""
    rolled = (np.roll(face, -int(np.argmin(face))) for face in faces)
    return sorted(tuple(int(index) for index in face) for face in rolled)
