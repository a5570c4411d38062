"""The river in three calls: a clip to tokens, tokens to latents, and (in :mod:`.decoding`) latents to meshes."""

from __future__ import annotations

from typing import Any

from .errors import InputError
from .models import ModelBundle, encoding
from .progress import Check, Progress
from .sampling import SamplerSettings, sample
from .sequence import Clip, ImageTokens, LatentSequence


def encode_clip(
    model: ModelBundle, clip: Clip, progress: Progress | None = None, check: Check | None = None
) -> ImageTokens:
    """Image tokens of every frame of a clip that is already cropped around its object.

    Raises InputError when the model was loaded without its image encoder.
    """
    encoder = _part(model, "image_encoder")
    return encoding.encode_clip(encoder, clip, model.name, progress=progress, check=check)


def sample_latents(
    model: ModelBundle,
    tokens: ImageTokens,
    settings: SamplerSettings,
    adapter_strength: float = 1.0,
    progress: Progress | None = None,
    check: Check | None = None,
) -> LatentSequence:
    """Latents of every frame, denoised together when the model has an adapter.

    Raises InputError when the tokens were made with another model or settings do not fit.
    """
    denoiser = _part(model, "denoiser")
    if tokens.model != model.name:
        raise InputError(
            f"These image tokens were made with the model {tokens.model!r}, not {model.name!r}; encode the clip again."
        )
    latents = sample(
        denoiser,
        tokens.tokens,
        settings,
        adapter=model.adapter,
        adapter_strength=adapter_strength,
        progress=progress,
        check=check,
    )
    strength = adapter_strength if model.adapter is not None else 0.0
    recorded = provenance(model, settings, strength)
    return LatentSequence(latents.float().cpu(), tokens.fps, tokens.name, model.name, recorded)


def provenance(model: ModelBundle, settings: SamplerSettings, adapter_strength: float) -> dict[str, Any]:
    """What made the latents: every setting of the sampler, the model's name and the SHA-256 of its weight files.

    It travels with the meshes into every file that has a place for it. Only ``name`` and ``weights`` of the model are
    read, so a host may pass its own wrapper.
    """
    made_with = {"model": model.name, "weights": dict(model.weights)}
    return {**settings.to_dict(), "adapter_strength": adapter_strength, **made_with}


def sampler_settings(model: ModelBundle, **changes: object) -> SamplerSettings:
    """The sampler settings a model asks for in its configuration; changes that are None leave its value.

    Only ``model.config`` is read, so a host may pass its own wrapper of a model.
    """
    config = model.config
    values = {
        "steps": config.steps,
        "guidance": config.guidance,
        "time_shift": config.time_shift,
        "zero_init": config.zero_init,
        "ensemble_size": config.ensemble_size,
        "latent_count": config.vae.num_latents,
    }
    return SamplerSettings(**{**values, **{key: value for key, value in changes.items() if value is not None}})


def _part(model: ModelBundle, name: str):
    network = getattr(model, name)
    if network is None:
        raise InputError(f"The model {model.name!r} was loaded without its {name}; load that part as well.")
    return network
