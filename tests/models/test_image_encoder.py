"""The image encoder beyond the golden data: registers, RGBA input, position table, configuration."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch

from shapegen4d_core.errors import InputError
from shapegen4d_core.models import ClipVisionConfig, ImageEncoder, ImageEncoderConfig

CONFIG = ImageEncoderConfig(
    hidden_size=24, num_hidden_layers=2, num_attention_heads=3, image_size=42, patch_size=14, num_register_tokens=2
)
CLIP = ClipVisionConfig(hidden_size=24, intermediate_size=48, num_hidden_layers=1, num_attention_heads=2, image_size=28)


def make(**changes):
    torch.manual_seed(0)
    return ImageEncoder(replace(CONFIG, **changes)).requires_grad_(False)


def pixels(channels=3, height=42, width=42, count=2):
    return torch.randn(count, channels, height, width, generator=torch.Generator().manual_seed(1))


def test_tokens_are_all_outputs_but_the_registers():
    encoder = make()
    hidden, tokens = encoder(pixels()), encoder.tokens(pixels())
    assert hidden.shape == (2, 1 + 2 + 9, 24) and tokens.shape == (2, CONFIG.token_count, 24)
    assert torch.equal(tokens, hidden[:, [0, *range(3, 12)]])


def test_registers_take_part():
    encoder = make()
    before = encoder.tokens(pixels())
    encoder.dino_model.embeddings.register_tokens += torch.linspace(-3, 3, 24)
    assert (encoder.tokens(pixels()) - before).abs().max() > 1e-3


def test_patches_are_row_major_and_positions_belong_to_places():
    embeddings = make().dino_model.embeddings
    picture = torch.zeros(1, 3, 42, 42)
    blank = embeddings(picture)
    picture[:, :, 14:28, 28:] = 1.0  # row 1, column 2 of a 3 x 3 grid
    changed = (embeddings(picture) - blank).abs().sum(-1)[0].nonzero().flatten().tolist()
    assert changed == [1 + 2 + 1 * 3 + 2]


def test_position_table_is_resampled_only_for_other_grids():
    embeddings = make().dino_model.embeddings
    assert embeddings.positions(3, 3) is embeddings.position_embeddings
    wide = embeddings.positions(1, 9)  # as many patches as the table, in another shape
    assert wide.shape == embeddings.position_embeddings.shape
    assert (wide - embeddings.position_embeddings)[:, 1:].abs().max() > 1e-3
    assert torch.equal(wide[:, 0], embeddings.position_embeddings[:, 0])


def test_input_size_may_differ_from_the_table():
    encoder = make(image_size=28, table_size=42)
    assert encoder.dino_model.embeddings.position_embeddings.shape[1] == 10
    assert encoder.tokens(pixels(height=28, width=28)).shape == (2, 5, 24)


def test_mask_token_is_unused_and_everything_else_is_trained():
    encoder = make().requires_grad_(True)
    encoder.tokens(pixels()).square().mean().backward()
    names = dict(encoder.named_parameters())
    unused = {name for name, p in names.items() if p.grad is None or not p.grad.abs().sum() > 0}
    keys = {name for name in unused if name.endswith("key.bias")}  # softmax is blind to them
    assert unused - keys == {"dino_model.embeddings.mask_token"}


def test_four_channels():
    encoder = make(in_channels=4, mean=None, std=None)
    assert encoder.config.mean == encoder.config.std == (0.5,) * 4
    assert encoder.tokens(pixels(4)).shape == (2, 10, 24)
    with pytest.raises(InputError, match=r"\[F,4,H,W\]"):
        encoder.tokens(pixels(3))
    with pytest.raises(InputError, match="in_channels = 4 values"):
        replace(CONFIG, in_channels=4)


def test_clip_tokens_follow_and_must_be_asked_for_consistently():
    encoder = make(clip=CLIP)
    tokens = encoder.tokens(pixels(), pixels(height=28, width=28))
    assert tokens.shape == (2, encoder.config.token_count, 24) == (2, 10 + 5, 24)
    assert torch.equal(tokens[:, :10], make().tokens(pixels()))
    with pytest.raises(InputError, match="needs clip_pixels"):
        encoder.tokens(pixels())
    with pytest.raises(InputError, match="no CLIP tower"):
        make().tokens(pixels(), pixels(height=28, width=28))
    with pytest.raises(InputError, match="28 x 28"):
        encoder.tokens(pixels(), pixels())


@pytest.mark.parametrize("changes, words", [
    ({"image_size": 40}, "40 pixels"),
    ({"num_attention_heads": 5}, "24, which 5 heads"),
    ({"in_channels": 2}, "in_channels is 2"),
])  # fmt: skip
def test_impossible_configurations(changes, words):
    with pytest.raises(InputError, match=words):
        replace(CONFIG, **changes)


@pytest.mark.parametrize("values, words", [
    ({"dino_type": "facebook/dinov3"}, "dinov3"),
    ({"normalize_embeds": True}, "normalize_embeds to True"),
    ({"image_size": 518, "tail_length": 3}, "tail_length"),
])  # fmt: skip
def test_configurations_that_are_not_implemented(values, words):
    with pytest.raises(InputError, match=words):
        ImageEncoderConfig.from_dict(values)


@pytest.mark.parametrize("config", [CONFIG, replace(CONFIG, clip=CLIP), replace(CONFIG, image_size=28, table_size=42)])
def test_configuration_survives_json(config):
    assert ImageEncoderConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


def test_a_named_backbone_gives_its_sizes_and_table():
    config = ImageEncoderConfig.from_dict({"dino_type": "facebook/dinov2-with-registers-small", "image_size": 224})
    assert (config.hidden_size, config.num_attention_heads, config.table_size, config.image_size) == (384, 6, 518, 224)
    assert config.token_count == 1 + 16 * 16


def test_weights_in_half_precision_take_float_pixels():
    assert make().to(torch.bfloat16).tokens(pixels()).dtype == torch.bfloat16
