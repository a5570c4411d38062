"""The denoiser against reference values of the published architecture, base and label variant."""

import json

import pytest
import torch
from safetensors.torch import load_file

from shapegen4d_core.models.adapter import SpatioTemporalAdapter
from shapegen4d_core.models.denoiser import Denoiser
from shapegen4d_core.models.denoiser_config import AdapterConfig, DenoiserConfig
from shapegen4d_core.models.layers import sinusoid

FOLDERS = ("transformer", "transformer_label")
TOLERANCE = 1e-5


def load(data):
    denoiser = Denoiser(DenoiserConfig.from_dict(data.config))
    denoiser.load_state_dict(load_file(data.folder / "weights.safetensors"))
    return denoiser.requires_grad_(False)


def cases(data):
    """(timestep, velocity) of every case in the file."""
    names = sorted(name.removeprefix("timestep_") for name in data.io if name.startswith("timestep_"))
    assert names, "the file holds no case"
    return [(data.io[f"timestep_{name}"], data.io[f"velocity_{name}"]) for name in names]


def run(denoiser, data, timestep, **options):
    return denoiser(
        data.io["latents"], timestep, data.io["visual_condition"], data.io.get("label_condition"), **options
    )


@pytest.mark.parametrize("folder", FOLDERS)
def test_velocities(golden, close, folder):
    data = golden(folder)
    denoiser = load(data)
    for timestep, velocity in cases(data):
        close(run(denoiser, data, timestep), velocity, TOLERANCE)


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_fresh_adapter_changes_no_bit(golden, folder):
    data = golden(folder)
    denoiser = load(data)
    adapter = SpatioTemporalAdapter(AdapterConfig.for_denoiser(denoiser.config))
    frames = len(data.io["latents"])
    for timestep, _ in cases(data):
        plain = run(denoiser, data, timestep)
        assert torch.equal(run(denoiser, data, timestep, adapter=adapter, frames=frames), plain)


@pytest.mark.parametrize("folder", FOLDERS)
def test_the_collapse_of_equal_image_tokens_is_exact(golden, close, folder):
    data = golden(folder)
    denoiser, count = load(data), data.io["visual_condition"].shape[1]
    for timestep, _ in cases(data):
        given = (data.io["latents"], timestep)
        zeros, label = torch.zeros_like(data.io["visual_condition"]), data.io.get("label_condition")
        plain = denoiser(*given, zeros, label)
        close(denoiser(*given, zeros[:, :1], label, token_weight=float(count)), plain, TOLERANCE)


@pytest.mark.parametrize("folder", FOLDERS)
def test_intermediate_values(golden, close, folder):
    data = golden(folder)
    denoiser, seen = load(data), {}
    dit = denoiser.dit_model

    def keep(module, name):
        module.register_forward_hook(lambda _, given, result: seen.update({name: result}))

    keep(dit.time_proj, "temb")
    keep(dit.proj_in, "proj_in")
    keep(dit.proj_cross_attention, "proj_cross")
    keep(dit.transformer_blocks[0], "dual0")
    keep(dit.transformer_blocks[-1], "dual_last")
    keep(dit.single_transformer_blocks[0], "single0")
    keep(dit.norm_out, "norm_out")
    timestep, _ = cases(data)[0]
    run(denoiser, data, timestep)
    seen["time_sinusoid"] = sinusoid(timestep, denoiser.config.width)
    for name in ("dual0", "dual_last"):
        seen[f"{name}_context"], seen[f"{name}_latents"] = seen.pop(name)
    (seen["single0"],) = seen["single0"]
    expected = {name: value for name, value in data.io.items() if name.startswith("inter.")}
    assert expected
    for name, value in expected.items():
        result = seen[name.removeprefix("inter.")]
        if result.shape != value.shape:  # the last single block leaves out the rows nobody reads
            assert len(dit.single_transformer_blocks) == 1 and name == "inter.single0"
            value = value[:, -result.shape[1] :]
        close(result, value, TOLERANCE * max(1.0, value.abs().max().item()))


@pytest.mark.parametrize("name", FOLDERS)
def test_names_and_shapes_are_those_of_the_published_file(bundled_reference, name):
    manifest = json.loads((bundled_reference / f"{name}.manifest.json").read_text(encoding="utf-8"))
    denoiser = Denoiser(DenoiserConfig.from_dict(manifest["config"]), device="meta")
    shapes = {key: list(value.shape) for key, value in denoiser.state_dict().items()}
    assert shapes == manifest["tensors"]
    assert sum(parameter.numel() for parameter in denoiser.parameters()) == manifest["parameters"]


def test_the_paper_sized_adapter_has_the_computed_number_of_parameters():
    adapter = SpatioTemporalAdapter(AdapterConfig(), device="meta")
    assert len(adapter.dual) + len(adapter.single) == 36
    assert sum(parameter.numel() for parameter in adapter.parameters()) == 885_247_488
