"""Configurations of the networks: frozen dataclasses whose field names are those of the published files.

Defaults are the published step1x-3d values. Published fields that change nothing in what we compute are
listed and skipped; fields whose other values we do not implement are checked; any other field is an error.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import InputError
from .denoiser_config import AdapterConfig, DenoiserConfig

__all__ = [
    "AdapterConfig",
    "ClipVisionConfig",
    "DenoiserConfig",
    "ImageEncoderConfig",
    "LabelEncoderConfig",
    "ShapeVAEConfig",
]

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)


def read_fields(
    cls: type, values: Mapping[str, Any], what: str, ignored: frozenset[str], fixed: Mapping[str, Any]
) -> dict[str, Any]:
    """Constructor arguments for ``cls`` out of a published JSON object.

    ``ignored`` fields are dropped, ``fixed`` ones must have the value given (the only one implemented), keys
    starting with ``_`` are bookkeeping. Raises InputError for any other field, and for another fixed value.
    """
    names = {field.name for field in dataclasses.fields(cls)}
    unknown = [k for k in values if k not in names and k not in ignored and k not in fixed and k[:1] != "_"]
    if unknown:
        raise InputError(f"The {what} configuration has unknown fields {sorted(unknown)}; remove them.")
    for key, only in fixed.items():
        if key in values and values[key] != only:
            raise InputError(
                f"The {what} configuration sets {key} to {values[key]!r}; only {only!r} is implemented."
            )
    arguments = {k: v for k, v in values.items() if k in names}
    return {k: tuple(v) if isinstance(v, list) else v for k, v in arguments.items()}


def check_heads(what: str, width: int, heads: int) -> None:
    """Raise InputError unless ``heads`` divides ``width`` (channels)."""
    if heads < 1 or width % heads:
        raise InputError(f"The {what} has width {width}, which {heads} heads do not divide; change one.")


@dataclass(frozen=True)
class ClipVisionConfig:
    """CLIP vision tower of the label-conditioned model (spec 3.5)."""

    hidden_size: int = 1024
    intermediate_size: int = 4096
    num_hidden_layers: int = 24
    num_attention_heads: int = 16
    image_size: int = 224
    patch_size: int = 14
    in_channels: int = 3
    mean: tuple[float, ...] = CLIP_MEAN
    std: tuple[float, ...] = CLIP_STD

    def __post_init__(self) -> None:
        check_heads("CLIP vision tower", self.hidden_size, self.num_attention_heads)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> ClipVisionConfig:
        """Read the ``vision`` part of a CLIP configuration."""
        fixed = {"hidden_act": "quick_gelu", "layer_norm_eps": 1e-5}
        return cls(**read_fields(cls, values, "CLIP", frozenset({"projection_dim"}), fixed))

    def to_dict(self) -> dict[str, Any]:
        """JSON-able fields."""
        return dataclasses.asdict(self)


# Widths of the backbones a published configuration may name: hidden size, layers, heads.
DINO_TYPES = {
    "facebook/dinov2-with-registers-small": (384, 12, 6),
    "facebook/dinov2-with-registers-base": (768, 12, 12),
    "facebook/dinov2-with-registers-large": (1024, 24, 16),
}


@dataclass(frozen=True)
class ImageEncoderConfig:
    """DINOv2 with registers, with an optional CLIP tower beside it (spec 3.3, 3.5).

    ``image_size`` is the side in pixels of the picture given to the encoder, ``table_size`` the side its
    position table was made for (None: the same). ``in_channels`` 4 means RGBA premultiplied by alpha.
    """

    hidden_size: int = 1024
    num_hidden_layers: int = 24
    num_attention_heads: int = 16
    mlp_ratio: int = 4
    image_size: int = 518
    patch_size: int = 14
    num_register_tokens: int = 4
    in_channels: int = 3
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    table_size: int | None = None
    clip: ClipVisionConfig | None = None

    def __post_init__(self) -> None:
        if self.in_channels not in (3, 4):
            raise InputError(
                f"in_channels is {self.in_channels}; the image encoder takes 3 (RGB) or 4 (RGBA)."
            )
        plain = (0.5,) * self.in_channels
        object.__setattr__(self, "mean", self.mean or (IMAGENET_MEAN if self.in_channels == 3 else plain))
        object.__setattr__(self, "std", self.std or (IMAGENET_STD if self.in_channels == 3 else plain))
        if len(self.mean) != self.in_channels or len(self.std) != self.in_channels:
            raise InputError(f"mean and std must have in_channels = {self.in_channels} values each; correct them.")
        for side in (self.image_size, self.table_side):
            if side < self.patch_size or side % self.patch_size:
                raise InputError(
                    f"An image side of {side} pixels is not a multiple of patch_size {self.patch_size}; "
                    "change image_size."
                )
        check_heads("image encoder", self.hidden_size, self.num_attention_heads)

    @property
    def table_side(self) -> int:
        """Side in pixels of the picture the position table was made for."""
        return self.table_size or self.image_size

    @property
    def use_clip(self) -> bool:
        """Whether CLIP tokens follow the DINO tokens."""
        return self.clip is not None

    @property
    def token_count(self) -> int:
        """Tokens per picture handed to the denoiser: class and patches, then those of CLIP."""
        count = 1 + (self.image_size // self.patch_size) ** 2
        return count if self.clip is None else count + 1 + (self.clip.image_size // self.clip.patch_size) ** 2

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> ImageEncoderConfig:
        """Read a published config.json, our own, or one split in parts {"dino": ..., "encoder": ...}."""
        if "encoder" in values:
            backbone = dict(values["dino"])
            backbone["table_size"] = backbone.pop("image_size")
            clip = {"clip": values["clip"]["vision"]} if "clip" in values else {}
            return cls.from_dict({**values["encoder"], **backbone, **clip})
        values = {**_named_backbone(values), **values}
        clip = values.pop("clip", None)
        if clip is None and values.get("clip_type") is not None:
            clip = {}
        arguments = read_fields(cls, values, "image encoder", _ENCODER_IGNORED, _ENCODER_FIXED)
        if arguments.get("table_size") == arguments.get("image_size", cls.image_size):
            arguments.pop("table_size", None)
        return cls(**arguments, clip=None if clip is None else ClipVisionConfig.from_dict(clip))

    def to_dict(self) -> dict[str, Any]:
        """JSON-able fields; ``from_dict`` reads them back."""
        return dataclasses.asdict(self)


_ENCODER_IGNORED = frozenset(
    "weights camera_embeds_type camera_embeds_dim empty_embeds_ratio freeze_modulation_dino "
    "freeze_modulation_clip enable_gradient_checkpointing dino_type clip_type kwargs".split()
)
_ENCODER_FIXED = {
    "encode_camera": False,
    "n_views": 1,
    "normalize_embeds": False,
    "zero_uncond_embeds": True,
    "fuse_type": "concat",
    "hidden_act": "gelu",
    "layer_norm_eps": 1e-6,
    "qkv_bias": True,
    "use_swiglu_ffn": False,
    "layerscale_value": 1.0,
}


def _named_backbone(values: Mapping[str, Any]) -> dict[str, Any]:
    """Backbone sizes for a configuration that only names a published backbone."""
    name = values.get("dino_type")
    if name is None or "hidden_size" in values:
        return {}
    if name not in DINO_TYPES:
        raise InputError(f"The image encoder names dino_type {name!r}; known are {sorted(DINO_TYPES)}.")
    sizes = zip(("hidden_size", "num_hidden_layers", "num_attention_heads"), DINO_TYPES[name])
    return {**dict(sizes), "table_size": 518}


@dataclass(frozen=True)
class LabelEncoderConfig:
    """Three embedding tables: pose, symmetry, geometry quality (spec 3.5)."""

    hidden_size: int = 1024

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> LabelEncoderConfig:
        """Read a published ``label_encoder/config.json``."""
        fixed = {"normalize_embeds": False, "zero_uncond_embeds": True}
        ignored = frozenset({"weights", "empty_embeds_ratio"})
        return cls(**read_fields(cls, values, "label encoder", ignored, fixed))

    def to_dict(self) -> dict[str, Any]:
        """JSON-able fields."""
        return dataclasses.asdict(self)


@dataclass(frozen=True)
class ShapeVAEConfig:
    """Shape autoencoder (spec 2): ``n_samples`` points per cloud, ``num_latents`` x ``embed_dim`` latents.

    ``truncation`` is the half width of the signed distance in half boxes (spec 2.7; not published for the
    released weights). ``mlp_ratio`` belongs to every block but the field query's (``query_mlp_ratio``).
    """

    n_samples: int = 16384
    num_latents: int = 2048
    point_feats: int = 3
    embed_dim: int = 64
    num_freqs: int = 8
    include_pi: bool = False
    width: int = 768
    heads: int = 12
    num_encoder_layers: int = 8
    num_decoder_layers: int = 16
    qkv_bias: bool = False
    with_sharp_data: bool = True
    z_scale_factor: float = 1.0
    truncation: float = 0.01
    mlp_ratio: int = 4
    query_mlp_ratio: int = 4

    def __post_init__(self) -> None:
        check_heads("shape autoencoder", self.width, self.heads)
        if self.with_sharp_data and self.num_latents % 2:
            raise InputError(f"num_latents is {self.num_latents}; with_sharp_data needs an even number.")

    @property
    def embed_width(self) -> int:
        """Channels of the point features: xyz and its sines and cosines."""
        return 3 + 3 * 2 * self.num_freqs

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> ShapeVAEConfig:
        """Read a published ``vae/config.json`` or our own."""
        return cls(**read_fields(cls, values, "shape autoencoder", _VAE_IGNORED, _VAE_FIXED))

    def to_dict(self) -> dict[str, Any]:
        """JSON-able fields."""
        return dataclasses.asdict(self)


_VAE_IGNORED = frozenset(
    "weights use_downsample downsample_ratio init_scale use_flash use_checkpoint resolutions sampling_prob "
    "volume_decoder_type surface_extractor_type".split()
)
_VAE_FIXED = {
    "embed_point_feats": False,
    "out_dim": 1,
    "embed_type": "fourier",
    "qk_norm": False,
    "use_ln_post": True,
    "use_multi_reso": False,
}
