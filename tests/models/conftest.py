"""A model of all kinds of networks that is small enough to be written to disk many times."""

from __future__ import annotations

import pytest
import torch

from shapegen4d_core import models
from shapegen4d_core.models import (
    AdapterConfig,
    DenoiserConfig,
    ImageEncoderConfig,
    ModelConfig,
    ShapeVAEConfig,
)

DENOISER = DenoiserConfig(
    input_channels=4, width=16, layers=1, num_single_layers=2, num_heads=2, condition_dim=16,
    visual_condition_dim=16, label_condition_dim=16, caption_condition_dim=16, slot_count=6, mlp_ratio=2,
)  # fmt: skip
SMALL = ModelConfig(
    name="small",
    image_encoder=ImageEncoderConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, image_size=28, in_channels=4
    ),
    vae=ShapeVAEConfig(
        num_latents=6, embed_dim=4, num_freqs=3, width=16, heads=2, num_encoder_layers=1, num_decoder_layers=1,
        truncation=0.1, query_mlp_ratio=2,
    ),
    denoiser=DENOISER,
    adapter=AdapterConfig.for_denoiser(DENOISER, attention="temporal", frames=3),
    frame="view",
    train_time_shift=4.0,
    steps=5,
    zero_init=False,
)  # fmt: skip


@pytest.fixture(scope="session")
def small():
    """Its configuration."""
    return SMALL


@pytest.fixture(scope="session")
def bundle():
    """Its networks with random weights; not to be changed."""
    torch.manual_seed(0)
    return models.build(SMALL)


@pytest.fixture
def folder(bundle, tmp_path):
    """A folder it was saved to in float32."""
    models.save(bundle, tmp_path / "small", torch.float32)
    return tmp_path / "small"
