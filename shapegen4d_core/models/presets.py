"""The configuration of a whole model, and the named ones.

Where a field departs from the paper it is explicit here, and its default is the paper's or the published
value.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from ..errors import InputError
from ..setting_checks import check_whole, is_finite
from .config import (
    AdapterConfig,
    ClipVisionConfig,
    DenoiserConfig,
    ImageEncoderConfig,
    LabelEncoderConfig,
    ShapeVAEConfig,
)

FRAMES_OF_REFERENCE = ("canonical", "view")


@dataclass(frozen=True)
class ModelConfig:
    """Configurations of all networks of a model, and how it was trained and wants to be sampled.

    frame: axes of the generated shapes, ``canonical`` (front toward +z) or ``view`` (turned by the azimuth
    of the camera, so that the camera of the first frame is on the +z side). train_time_shift: shift of the
    noise levels in training (1: none, as published). foreground_ratio: part of the picture the object's
    longer side fills. steps, guidance, time_shift, zero_init, ensemble_size: sampling defaults. The published
    schedule has shift 1; the paper shifts at sampling time without giving the value, and 3 is what a close
    relative of its method uses. zero_init: the velocity of the first step counts as zero (spec 4.4).
    ensemble_size: sequences that are averaged, above 1 only for models with slots. frames: clip length in
    training.
    """

    name: str = "step1x-3d"
    image_encoder: ImageEncoderConfig = field(default_factory=ImageEncoderConfig)
    vae: ShapeVAEConfig = field(default_factory=ShapeVAEConfig)
    denoiser: DenoiserConfig = field(default_factory=DenoiserConfig)
    adapter: AdapterConfig | None = None
    label_encoder: LabelEncoderConfig | None = None
    frame: str = "canonical"
    train_time_shift: float = 1.0
    foreground_ratio: float = 0.95
    steps: int = 50
    guidance: float = 7.5
    time_shift: float = 3.0
    zero_init: bool = True
    ensemble_size: int = 1
    frames: int = 16

    def __post_init__(self) -> None:
        if self.frame not in FRAMES_OF_REFERENCE:
            raise InputError(f"frame is {self.frame!r}; it must be one of {', '.join(FRAMES_OF_REFERENCE)}.")
        if not 0 < self.foreground_ratio <= 1:
            raise InputError(
                f"foreground_ratio is {self.foreground_ratio}; it must be above 0 and at most 1."
            )
        for key in ("steps", "ensemble_size", "frames"):
            check_whole(key, getattr(self, key), 1)
        for key in ("train_time_shift", "time_shift"):
            if not getattr(self, key) > 0:
                raise InputError(f"{key} is {getattr(self, key)}; it must be above 0 (1 means no shift).")

    def settings(self) -> dict[str, Any]:
        """The JSON-able fields beside the network configurations: the content of ``shapegen4d.json``."""
        return {key: value for key, value in asdict(self).items() if key not in NETWORKS}

    def with_settings(self, values: Mapping[str, Any]) -> ModelConfig:
        """This configuration with the fields of a ``shapegen4d.json``; raises InputError for unknown or wrong ones."""
        known = {f.name for f in fields(self)} - set(NETWORKS)
        unknown = sorted(set(values) - known)
        if unknown:
            raise InputError(f"shapegen4d.json has unknown fields {unknown}; known are {sorted(known)}.")
        examples = {f.name: f.default for f in fields(self)}
        for key, value in values.items():
            if not _is_like(value, examples[key]):
                raise InputError(f"shapegen4d.json has {value!r} as {key}; give a value like {examples[key]!r}.")
        return replace(self, **values)


def _is_like(value: Any, example: Any) -> bool:
    """Whether a value of a settings file can stand in the place of ``example``."""
    if type(example) is float:
        return is_finite(value)
    return type(value) is type(example)


NETWORKS = ("image_encoder", "vae", "denoiser", "adapter", "label_encoder")


def _step1x() -> ModelConfig:
    base = ModelConfig()
    return replace(base, adapter=AdapterConfig.for_denoiser(base.denoiser))


def _step1x_label() -> ModelConfig:
    denoiser = DenoiserConfig(
        width=1536, num_heads=16, layers=8, num_single_layers=16, use_label_condition=True
    )
    return ModelConfig(
        name="step1x-3d-label",
        image_encoder=ImageEncoderConfig(clip=ClipVisionConfig()),
        denoiser=denoiser,
        adapter=AdapterConfig.for_denoiser(denoiser),
        label_encoder=LabelEncoderConfig(),
    )


def _tiny() -> ModelConfig:
    denoiser = DenoiserConfig(
        input_channels=8,
        width=128,
        layers=2,
        num_single_layers=6,
        num_heads=4,
        condition_dim=128,
        visual_condition_dim=128,
        label_condition_dim=128,
        caption_condition_dim=128,
        slot_count=64,
        mlp_ratio=3,
    )
    return ModelConfig(
        name="tiny",
        image_encoder=ImageEncoderConfig(
            hidden_size=128, num_hidden_layers=3, num_attention_heads=4, image_size=84, in_channels=4
        ),
        vae=ShapeVAEConfig(
            n_samples=1024,
            num_latents=64,
            embed_dim=8,
            num_freqs=7,
            width=128,
            heads=4,
            num_encoder_layers=2,
            num_decoder_layers=4,
            with_sharp_data=False,
            truncation=0.1,
            query_mlp_ratio=2,
        ),
        denoiser=denoiser,
        adapter=AdapterConfig.for_denoiser(denoiser, every=2, frames=8),
        frame="view",
        train_time_shift=4.0,
        foreground_ratio=0.9,
        steps=3,
        guidance=1.0,
        time_shift=3.0,
        zero_init=False,
        ensemble_size=16,
        frames=8,
    )


PRESETS: dict[str, ModelConfig] = {
    "step1x-3d": _step1x(),
    "step1x-3d-label": _step1x_label(),
    "tiny": _tiny(),
}
