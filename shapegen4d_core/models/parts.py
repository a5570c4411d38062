"""The networks a model folder is made of: where each lies, its classes, and its names of old."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import nn

from . import infer
from .adapter import SpatioTemporalAdapter
from .clip_encoder import UNUSED_KEYS
from .config import (
    AdapterConfig,
    DenoiserConfig,
    ImageEncoderConfig,
    LabelEncoderConfig,
    ShapeVAEConfig,
)
from .denoiser import Denoiser
from .image_encoder import ImageEncoder
from .label_encoder import LabelEncoder
from .shape_vae import ShapeVAE

BACKBONE_STEMS = ("embeddings.", "encoder.layer.", "layernorm.")


def _same(name: str) -> str:
    return name


def vae_name(name: str) -> str:
    """Name of today for a stored name of the shape autoencoder (spec 8)."""
    name = name.removeprefix("shape_model.")
    return name.replace("proj1.", "proj_sharp.").replace("attn1.", "attn_sharp.")


def image_encoder_name(name: str) -> str:
    """Name in a published model for a name in a file of the backbone alone, as its makers publish it (spec 3.3)."""
    return f"dino_model.{name}" if name.startswith(BACKBONE_STEMS) else name


@dataclass(frozen=True)
class Part:
    """One network of a model folder.

    folder: its sub-folder, or None for the adapter, whose files ``weights_file`` and ``config_file`` lie in
    the model folder itself. rename: stored name to name of today. unused: prefixes of stored tensors
    nothing reads.
    """

    what: str
    network: type[nn.Module]
    config: type[Any]
    infer: Callable[[Mapping[str, tuple[int, ...]]], Any]
    folder: str | None
    rename: Callable[[str], str] = _same
    unused: tuple[str, ...] = ()
    weights_file: str = "diffusion_pytorch_model.safetensors"
    config_file: str = "config.json"
    required: bool = True


PARTS: dict[str, Part] = {
    "image_encoder": Part(
        what="image encoder",
        network=ImageEncoder,
        config=ImageEncoderConfig,
        infer=infer.image_encoder_config,
        folder="visual_encoder",
        rename=image_encoder_name,
        unused=UNUSED_KEYS,
    ),
    "vae": Part(
        what="shape autoencoder",
        network=ShapeVAE,
        config=ShapeVAEConfig,
        infer=infer.vae_config,
        folder="vae",
        rename=vae_name,
    ),
    "denoiser": Part(
        what="denoiser",
        network=Denoiser,
        config=DenoiserConfig,
        infer=infer.denoiser_config,
        folder="transformer",
    ),
    "adapter": Part(
        what="spatiotemporal adapter",
        network=SpatioTemporalAdapter,
        config=AdapterConfig,
        infer=infer.adapter_config,
        folder=None,
        weights_file="spatiotemporal.safetensors",
        config_file="spatiotemporal.json",
        required=False,
    ),
    "label_encoder": Part(
        what="label encoder",
        network=LabelEncoder,
        config=LabelEncoderConfig,
        infer=infer.label_encoder_config,
        folder="label_encoder",
        required=False,
    ),
}
