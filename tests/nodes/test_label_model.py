"""Label-conditioned models: CLIP tokens beside the DINO ones, and labels chosen on the sampler node."""

from __future__ import annotations

import dataclasses
import shutil

import pytest
import torch

from tests.nodes.small_model import small_config


@pytest.fixture(scope="module")
def labelled(core, base, run):
    """A loaded random label model."""
    models = core("models")
    torch.manual_seed(1)
    plain = small_config(core)
    tower = models.ClipVisionConfig(
        hidden_size=16, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2, image_size=28
    )
    config = dataclasses.replace(
        plain,
        name="labelled",
        image_encoder=dataclasses.replace(plain.image_encoder, in_channels=3, mean=None, std=None, clip=tower),
        denoiser=dataclasses.replace(plain.denoiser, use_label_condition=True),
        label_encoder=models.LabelEncoderConfig(hidden_size=16),
    )
    folder = base / "models" / "shapegen4d" / "zoo" / "labelled"
    models.save(models.build(config), folder, dtype=torch.float32)
    yield run("LoadShapeGen4DModel", model="zoo/labelled").result[0]
    shutil.rmtree(folder)


def test_labels_and_clip_tokens_are_used(labelled, run, frames):
    images, mask = frames
    clip = run("LoadVideoFrames", model=labelled, video=images, mask=mask).result[0]
    tokens = run("EncodeDINO", model=labelled, clip=clip).result[0]
    assert tokens.tokens.shape == (4, 5 + 5, 16)  # class and 4 patches of each tower

    def latents(**labels):
        return run("Sample4DLatents", model=labelled, tokens=tokens, **labels).result[0].latents

    plain = latents()
    assert torch.equal(plain, latents(symmetry="x", geometry_type="sharp"))
    assert not torch.equal(plain, latents(symmetry="asymmetry"))
    assert not torch.equal(plain, latents(geometry_type="smooth"))
