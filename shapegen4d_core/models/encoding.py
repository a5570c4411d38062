"""A clip to image tokens: prepare the pixels, run the image encoder, a few frames at a time."""

from __future__ import annotations

from typing import Any

import torch

from ..errors import InputError
from ..progress import Check, Progress, tick
from ..sequence import Clip, ImageTokens
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
    result is the same for all. device: of the computation, default that of the weights. Raises InputError.
    """
    if frames_at_once < 1:
        raise InputError(f"frames_at_once is {frames_at_once}; it must be at least 1.")
    device = device or encoder.dino_model.layernorm.weight.device
    config, total, parts = encoder.config, len(clip.frames), []
    views = [config] if config.clip is None else [config, config.clip]
    pixels = [clip_to_pixels(clip, view) for view in views]
    for start in range(0, total, frames_at_once):
        chunk = [part[start : start + frames_at_once].to(device) for part in pixels]
        parts.append(encoder.tokens(*chunk).float().cpu())
        tick(progress, check, min(start + frames_at_once, total), total)
    return ImageTokens(torch.cat(parts), clip.fps, clip.name, model)
