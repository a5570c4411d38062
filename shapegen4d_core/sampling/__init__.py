"""Noise levels, noise, guidance and the sampler that turns image tokens into latents."""

from .noise import draw
from .sampler import sample
from .schedule import sigmas
from .settings import SamplerSettings

__all__ = ["SamplerSettings", "draw", "sample", "sigmas"]
