"""Image encoders and their pixels against golden/visual_encoder and golden/visual_encoder_clip."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from shapegen4d_core.models import load_image_encoder
from shapegen4d_core.models.preprocess import pixel_values, pixel_values_from_tensor

PIXELS = 1e-6
FEATURES = 1e-5


def load_case(golden, name):
    data = golden(name)
    encoder = load_image_encoder(data.folder / "weights.safetensors")
    return SimpleNamespace(encoder=encoder.requires_grad_(False), config=encoder.config, io=data.io)


@pytest.fixture(scope="module")
def dino(golden):
    return load_case(golden, "visual_encoder")


@pytest.fixture(scope="module")
def clip(golden):
    return load_case(golden, "visual_encoder_clip")


def pictures(case):
    return sorted(name.removeprefix("image_") for name in case.io if name.startswith("image_") and name[6:].isdigit())


def test_pixels_and_tokens_of_pictures(dino, close):
    numbers = pictures(dino)
    assert numbers
    for number in numbers:
        pixels = pixel_values(dino.io[f"image_{number}"].numpy(), dino.config)
        close(pixels, dino.io[f"pixel_values_{number}"], PIXELS)
        close(dino.encoder(pixels), dino.io[f"last_hidden_state_{number}"], FEATURES)
        close(dino.encoder.tokens(pixels), dino.io[f"image_embeds_{number}"], FEATURES)


@pytest.mark.parametrize("kind", ["large", "wide"])
def test_other_input_sizes_resample_the_position_table(dino, close, kind):
    close(dino.encoder(dino.io[f"raw_pixels_{kind}"]), dino.io[f"raw_hidden_{kind}"], FEATURES)


def test_training_path(dino, close):
    pixels = pixel_values_from_tensor(dino.io["train_image"], dino.config)
    close(pixels, dino.io["train_pixel_values"], PIXELS)
    close(dino.encoder.tokens(pixels), dino.io["train_image_embeds"], FEATURES)


def test_unconditional_embedding_is_zero_and_of_the_shape_of_tokens(dino, clip):
    assert not dino.io["empty_image_embeds"].any()
    for case, tokens in ((dino, dino.io["empty_image_embeds"]), (clip, clip.io["image_embeds"])):
        assert tokens.shape == (1, case.config.token_count, case.config.hidden_size)


def test_clip_tower(clip, close):
    picture = clip.io["image"].numpy()
    pixels, clip_pixels = pixel_values(picture, clip.config), pixel_values(picture, clip.config.clip)
    close(pixels, clip.io["dino_pixel_values"], PIXELS)
    close(clip_pixels, clip.io["clip_pixel_values"], PIXELS)
    close(clip.encoder.clip_model(clip_pixels), clip.io["clip_tokens"], FEATURES)
    close(clip.encoder.tokens(pixels, clip_pixels), clip.io["image_embeds"], FEATURES)


def test_batches_are_independent(dino, close):
    pixels = torch.cat([dino.io[f"pixel_values_{number}"] for number in pictures(dino)])
    close(dino.encoder.tokens(pixels)[-1:], dino.encoder.tokens(pixels[-1:]), FEATURES)
