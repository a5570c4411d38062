"""Names and shapes of the networks against the manifests of the published files, on the meta device.

The label model's file also holds CLIP's text tower, projections, closing norm and logit scale. Nothing reads
them, so the network leaves them out and declares them as unused; together the two must be the whole file.
"""

from __future__ import annotations

import json

import pytest

from shapegen4d_core.models import PRESETS, build
from shapegen4d_core.models.parts import PARTS

PLAIN = [("transformer", "step1x-3d", "denoiser"), ("vae", "step1x-3d", "vae"),
         ("visual_encoder", "step1x-3d", "image_encoder"), ("transformer_label", "step1x-3d-label", "denoiser"),
         ("vae", "step1x-3d-label", "vae"), ("label_encoder", "step1x-3d-label", "label_encoder")]  # fmt: skip
LABEL_ENCODER = ("visual_encoder_label", "step1x-3d-label", "image_encoder")
FOLDERS = {"step1x-3d": "Step1X-3D-Geometry-1300m", "step1x-3d-label": "Step1X-3D-Geometry-Label-1300m"}


def manifest(root, name):
    return json.loads((root / f"{name}.manifest.json").read_text(encoding="utf-8"))


def tensors(root, name):
    return {key: tuple(shape) for key, shape in manifest(root, name)["tensors"].items()}


def network(preset, part):
    return getattr(build(preset, device="meta", parts=[part]), part)


def shapes(module):
    return {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}


@pytest.mark.parametrize("name, preset, part", PLAIN)
def test_names_and_shapes_are_the_published_ones(bundled_reference, name, preset, part):
    built = network(preset, part)
    assert shapes(built) == tensors(bundled_reference, name)
    count = sum(parameter.numel() for parameter in built.parameters())
    assert count == manifest(bundled_reference, name)["parameters"]


def test_label_image_encoder_and_its_unused_tensors_are_the_published_file(bundled_reference):
    name, preset, part = LABEL_ENCODER
    published, built = tensors(bundled_reference, name), shapes(network(preset, part))
    unused = {key for key in published if key.startswith(PARTS[part].unused)}
    assert not unused & set(built)
    assert {key: shape for key, shape in published.items() if key not in unused} == built
    assert {key.split(".")[1] for key in unused} == {
        "logit_scale", "text_model", "text_projection", "visual_projection", "vision_model"
    }  # fmt: skip


@pytest.mark.parametrize("name, preset, part", [*PLAIN, LABEL_ENCODER])
def test_published_configuration_files_give_the_preset(bundled_reference, name, preset, part):
    path = bundled_reference / "published_configs" / FOLDERS[preset] / PARTS[part].folder / "config.json"
    values = json.loads(path.read_text(encoding="utf-8"))
    assert PARTS[part].config.from_dict(values) == getattr(PRESETS[preset], part)


@pytest.mark.parametrize("name, preset, part", [*PLAIN, LABEL_ENCODER])
def test_configuration_read_off_the_shapes(bundled_reference, name, preset, part):
    inferred = PARTS[part].infer(tensors(bundled_reference, name)).to_dict()
    assert inferred == getattr(PRESETS[preset], part).to_dict()
