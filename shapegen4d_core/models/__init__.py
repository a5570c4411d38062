"""The networks, their configurations, loading and saving."""

from .adapter import SpatioTemporalAdapter
from .bundle import ModelBundle, build
from .checkpoint import (
    info,
    load,
    load_adapter,
    load_denoiser,
    load_image_encoder,
    load_label_encoder,
    load_vae,
)
from .config import (
    AdapterConfig,
    ClipVisionConfig,
    DenoiserConfig,
    ImageEncoderConfig,
    LabelEncoderConfig,
    ShapeVAEConfig,
)
from .denoiser import Denoiser
from .image_encoder import ImageEncoder
from .label_encoder import LabelEncoder
from .posterior import Posterior
from .presets import PRESETS, ModelConfig
from .saving import save
from .shape_vae import FieldDecoder, ShapeVAE

__all__ = [
    "PRESETS",
    "AdapterConfig",
    "ClipVisionConfig",
    "Denoiser",
    "DenoiserConfig",
    "FieldDecoder",
    "ImageEncoder",
    "ImageEncoderConfig",
    "LabelEncoder",
    "LabelEncoderConfig",
    "ModelBundle",
    "ModelConfig",
    "Posterior",
    "ShapeVAE",
    "ShapeVAEConfig",
    "SpatioTemporalAdapter",
    "build",
    "info",
    "load",
    "load_adapter",
    "load_denoiser",
    "load_image_encoder",
    "load_label_encoder",
    "load_vae",
    "save",
]
