"""Configurations read off tensor shapes, for weights that come without a configuration file.

Head counts leave no trace in most shapes. They are taken from a tensor where one shows them and otherwise
only for the published widths; anything else needs a configuration.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ..errors import InputError
from .clip_encoder import UNUSED_KEYS
from .config import (
    DINO_TYPES,
    AdapterConfig,
    ClipVisionConfig,
    DenoiserConfig,
    ImageEncoderConfig,
    LabelEncoderConfig,
    ShapeVAEConfig,
)
from .presets import PRESETS

Shapes = Mapping[str, tuple[int, ...]]
VAE_HEADS = {768: 12}
DINO_HEADS = {width: heads for width, _, heads in DINO_TYPES.values()}
CLIP_HEADS = {1024: 16}


def _shape(shapes: Shapes, name: str, what: str) -> tuple[int, ...]:
    if name not in shapes:
        raise InputError(f"These are not the weights of the {what}: there is no tensor {name}.")
    return shapes[name]


def _count(shapes: Shapes, prefix: str) -> int:
    """Number of blocks: one more than the largest index that follows ``prefix``."""
    indices = (name[len(prefix) :].split(".", 1)[0] for name in shapes if name.startswith(prefix))
    return 1 + max((int(index) for index in indices if index.isdecimal()), default=-1)


def _heads(table: Mapping[int, int], width: int, what: str) -> int:
    if width not in table:
        raise InputError(
            f"The weights of the {what} are {width} wide and do not show its number of heads; "
            "give its configuration (config.json) as well."
        )
    return table[width]


def image_encoder_config(shapes: Shapes) -> ImageEncoderConfig:
    """Of the image encoder, with its CLIP tower if it has one."""
    what = "image encoder"
    stem = "dino_model.embeddings."
    width, channels, patch, _ = _shape(shapes, stem + "patch_embeddings.projection.weight", what)
    side = round((_shape(shapes, stem + "position_embeddings", what)[1] - 1) ** 0.5) * patch
    hidden = _shape(shapes, "dino_model.encoder.layer.0.mlp.fc1.weight", what)[0]
    has_clip = any(name.startswith("clip_model.") and not name.startswith(UNUSED_KEYS) for name in shapes)
    return ImageEncoderConfig(
        hidden_size=width,
        num_hidden_layers=_count(shapes, "dino_model.encoder.layer."),
        num_attention_heads=_heads(DINO_HEADS, width, what),
        mlp_ratio=hidden // width,
        image_size=side,
        patch_size=patch,
        num_register_tokens=_shape(shapes, stem + "register_tokens", what)[1],
        in_channels=channels,
        clip=_clip_config(shapes) if has_clip else None,
    )


def _clip_config(shapes: Shapes) -> ClipVisionConfig:
    what, stem = "CLIP tower", "clip_model.vision_model."
    width, channels, patch, _ = _shape(shapes, stem + "embeddings.patch_embedding.weight", what)
    positions = _shape(shapes, stem + "embeddings.position_embedding.weight", what)[0]
    return ClipVisionConfig(
        hidden_size=width,
        intermediate_size=_shape(shapes, stem + "encoder.layers.0.mlp.fc1.weight", what)[0],
        num_hidden_layers=_count(shapes, stem + "encoder.layers."),
        num_attention_heads=_heads(CLIP_HEADS, width, what),
        image_size=round((positions - 1) ** 0.5) * patch,
        patch_size=patch,
        in_channels=channels,
    )


def vae_config(shapes: Shapes) -> ShapeVAEConfig:
    """Of the shape autoencoder; how many latents and points it likes does not show and keeps its default."""
    what = "shape autoencoder"
    width, channels = _shape(shapes, "post_kl.weight", what)
    embedded = _shape(shapes, "decoder.query_proj.weight", what)[1]
    hidden = _shape(shapes, "encoder.cross_attn.mlp.c_fc.weight", what)[0]
    query_hidden = _shape(shapes, "decoder.cross_attn_decoder.mlp.c_fc.weight", what)[0]
    return ShapeVAEConfig(
        point_feats=_shape(shapes, "encoder.input_proj.weight", what)[1] - embedded,
        embed_dim=channels,
        num_freqs=(embedded - 3) // 6,
        width=width,
        heads=_heads(VAE_HEADS, width, what),
        num_encoder_layers=_count(shapes, "encoder.self_attn.resblocks."),
        num_decoder_layers=_count(shapes, "transformer.resblocks."),
        qkv_bias="encoder.cross_attn.attn.c_q.bias" in shapes,
        with_sharp_data="encoder.input_proj_sharp.weight" in shapes,
        mlp_ratio=hidden // width,
        query_mlp_ratio=query_hidden // width,
    )


def denoiser_config(shapes: Shapes) -> DenoiserConfig:
    """Of the denoiser; label tokens as wide as the condition show in no tensor: only the published sizes have them."""
    what, stem = "denoiser", "dit_model."
    width, channels = _shape(shapes, stem + "proj_in.weight", what)
    condition = _shape(shapes, stem + "proj_cross_attention.weight", what)[1]
    dual, single = (
        _count(shapes, stem + "transformer_blocks."),
        _count(shapes, stem + "single_transformer_blocks."),
    )
    block = "transformer_blocks.0.ff.net.0.proj" if dual else "single_transformer_blocks.0.proj_mlp"
    norm = stem + ("transformer_blocks" if dual else "single_transformer_blocks") + ".0.attn.norm_q.weight"
    label = shapes.get("proj_label_condtion.1.weight")
    config = DenoiserConfig(
        input_channels=channels,
        width=width,
        layers=dual,
        num_single_layers=single,
        num_heads=width // _shape(shapes, norm, what)[0],
        condition_dim=condition,
        visual_condition_dim=shapes.get("proj_visual_condtion.1.weight", (condition, condition))[1],
        use_label_condition=label is not None,
        label_condition_dim=label[1] if label else condition,
        caption_condition_dim=condition,
        slot_count=shapes.get(stem + "slot_embed", (0,))[0],
        mlp_ratio=_shape(shapes, f"{stem}{block}.weight", what)[0] // width,
    )
    labelled = replace(config, use_label_condition=True)
    return labelled if labelled == PRESETS["step1x-3d-label"].denoiser else config


def label_encoder_config(shapes: Shapes) -> LabelEncoderConfig:
    """Of the label encoder."""
    table = _shape(shapes, "embedding_table_tpose.weight", "label encoder")
    return LabelEncoderConfig(hidden_size=table[1])


def adapter_config(shapes: Shapes) -> AdapterConfig:
    """The kind of attention and the base's depth show in no tensor, so an adapter needs its configuration."""
    raise InputError(
        "The weights of an adapter show neither its kind of attention nor the depth of its base; "
        "give its configuration (spatiotemporal.json) as well."
    )
