"""A model smaller than tiny, and random data for it."""

from dataclasses import replace

import numpy as np

from shapegen4d_core.models import PRESETS, AdapterConfig, ModelConfig

SIZE, FRAMES, CLIPS, SLOTS = 28, 3, 4, 8


def small_config() -> ModelConfig:
    """The tiny preset made smaller still."""
    tiny = PRESETS["tiny"]
    sizes = {"width": 32, "layers": 1, "num_single_layers": 2, "num_heads": 2}
    denoiser = replace(tiny.denoiser, **sizes, condition_dim=32, visual_condition_dim=32, slot_count=SLOTS)
    encoder = replace(
        tiny.image_encoder,
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        image_size=SIZE,
        table_size=SIZE,
    )
    vae = replace(tiny.vae, width=32, heads=2, num_latents=SLOTS, num_encoder_layers=1, num_decoder_layers=1)
    adapter = AdapterConfig.for_denoiser(denoiser, every=2, frames=FRAMES)
    return replace(tiny, image_encoder=encoder, vae=vae, denoiser=denoiser, adapter=adapter)


def random_data() -> tuple[np.ndarray, np.ndarray]:
    """Pictures [clips,T,S,S,4] and latents [2*clips,T,N,C]."""
    rng = np.random.default_rng(0)
    rgba = rng.integers(0, 255, (CLIPS, FRAMES, SIZE, SIZE, 4), dtype=np.uint8)
    return rgba, rng.standard_normal((2 * CLIPS, FRAMES, SLOTS, 8)).astype(np.float16)
