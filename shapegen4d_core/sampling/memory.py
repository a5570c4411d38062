"""What one evaluation of the denoiser holds at its peak beside the weights, and how much to do at once.

The unit is one value per channel of every token: F frames of M image tokens and N latents, W channels. In a block of
the single stage there are its input, the normed input, keys, values and the mixed rows, then the hidden rows of the
feed-forward, those joined with the mixed ones, and the result.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from ..memory import free_memory
from ..models.denoiser_config import DenoiserConfig
from .settings import SamplerSettings

SHARE = 0.8  # of the free memory
ROWS_SPLIT = 8  # parts the feed-forward is cut into where memory is short; more saves nothing, attention holds the rest
ATTENTION_UNITS = 12.5  # input, its norm, queries, keys and values with their norms, before and after rotation
LABEL_TOKENS = 3


@dataclass(frozen=True)
class Evaluation:
    """Sizes of a guided evaluation: F frames per call, M image tokens and N latents each, bytes of a value."""

    config: DenoiserConfig
    frames: int
    tokens: int
    latents: int
    itemsize: int
    both_halves: bool = False  # of guidance as one batch

    @property
    def rows(self) -> int:
        """Tokens in one call of the network."""
        labels = LABEL_TOKENS if self.config.use_label_condition else 0
        return (2 if self.both_halves else 1) * self.frames * (self.tokens + labels + self.latents)

    def bytes(self, rows_per_call: int | None = None) -> int:
        """Peak in bytes when the feed-forward takes ``rows_per_call`` rows at once (None: all)."""
        ratio, width = self.config.mlp_ratio, self.config.width
        units = 8.0 + 2 * ratio
        if rows_per_call is not None and rows_per_call < self.rows:
            units = max(ATTENTION_UNITS, 7.0 + (2 * ratio + 2) * rows_per_call / self.rows)
        pictures = self.frames * self.tokens * self.config.visual_condition_dim
        kept = pictures * (4 if self.both_halves else 3)
        return round(self.itemsize * (units * self.rows * width + kept))

    @property
    def room(self) -> int:
        """Bytes a host should free beside the weights, so that :func:`choose_rows` takes all rows at once."""
        return round(self.bytes() / SHARE) + self.cast_bytes

    @property
    def cast_bytes(self) -> int:
        """What a host holds beside that which casts weights or brings them from elsewhere: those of two layers."""
        return 2 * self.itemsize * (1 + self.config.mlp_ratio) * self.config.width**2


def evaluation(
    config: DenoiserConfig, settings: SamplerSettings, frames: int, tokens: int, latents: int, itemsize: int
) -> Evaluation:
    """The evaluation that ``settings`` lead to, of ``frames`` frames in one call."""
    both = settings.guidance > 1.0 and settings.guidance_mode == "together"
    return Evaluation(config, frames, tokens, latents, itemsize, both)


def choose_rows(wanted: Evaluation, device: torch.device | str) -> int:
    """Rows of the feed-forward at once: all of them, or an eighth where the free memory of the device is short."""
    if wanted.bytes() <= SHARE * free_memory(device):
        return wanted.rows
    return -(-wanted.rows // ROWS_SPLIT)


def choose_frames(wanted: Evaluation, device: torch.device | str) -> int:
    """Frames per call, at least 1, that fit the free memory of the device; for models whose frames are independent."""
    fitting = int(wanted.frames * SHARE * free_memory(device) // max(wanted.bytes(), 1))
    return max(1, min(wanted.frames, fitting))
