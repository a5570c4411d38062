"""A clip to image tokens: prepare the pixels, run the image encoder, a few frames at a time."""

from __future__ import annotations

from typing import Any

import torch

from ..errors import InputError
from ..memory import Halving
from ..progress import Check, Progress, tick
from ..sequence import Clip, ImageTokens
from .cancelling import cancellable
from .config import ImageEncoderConfig
from .image_encoder import ImageEncoder
from .preprocess import clip_to_pixels


@torch.no_grad()
def encode_clip(
    encoder: ImageEncoder,
    clip: Clip,
    model: str,
    frames_at_once: int = 4,
    device: Any = None,
    progress: Progress | None = None,
    check: Check | None = None,
) -> ImageTokens:
    """Image tokens [T,M,D], float32 on the CPU, of a clip that is already cropped around its object.

    ``model`` is the name noted in the result. frames_at_once: frames per call of the encoder, at least 1; the
    result is the same for all, and half of it is tried when memory runs out. device: of the computation, default that
    of the weights. Raises InputError.
    """
    if frames_at_once < 1:
        raise InputError(f"frames_at_once is {frames_at_once}; it must be at least 1.")
    device = device or encoder.dino_model.layernorm.weight.device
    config, total, parts = encoder.config, len(clip.frames), []
    views = [config] if config.clip is None else [config, config.clip]
    pixels = [clip_to_pixels(clip, view) for view in views]
    halving, done = Halving(frames_at_once, "frames at once", "set frames_at_once to 1"), 0

    def encode(count: int) -> torch.Tensor:
        return encoder.tokens(*(part[done : done + count].to(device) for part in pixels)).float().cpu()

    while done < total:
        with cancellable(check, encoder):
            parts.append(halving(encode))
        done += len(parts[-1])
        tick(progress, check, done, total)
    return ImageTokens(torch.cat(parts), clip.fps, clip.name, model)


def encoding_bytes(config: ImageEncoderConfig, frames_at_once: int, itemsize: int) -> int:
    """Peak in bytes while ``frames_at_once`` frames are encoded, beside the weights: rows of a layer, and pixels."""
    rows = frames_at_once * config.token_count * config.hidden_size * (3.5 + 2 * config.mlp_ratio)
    pixels = 2 * frames_at_once * config.in_channels * config.image_size**2
    return round(itemsize * (rows + pixels))
