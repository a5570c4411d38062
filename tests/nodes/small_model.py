"""A random model of the real classes at the smallest sensible sizes."""

from __future__ import annotations

import torch


def let_the_field_cross_zero(vae):
    """Shift the random field so that about half of the space is inside."""
    config = vae.config
    with torch.no_grad():
        features = vae.decode(torch.randn(1, config.num_latents, config.embed_dim))
        vae.decoder.output_proj.bias -= vae.query(features, 2 * torch.rand(1, 500, 3) - 1).median()


def small_config(core):
    """The real classes at the smallest sensible sizes."""
    models = core("models")
    denoiser = models.DenoiserConfig(
        input_channels=4, width=16, layers=1, num_single_layers=1, num_heads=2, condition_dim=16,
        visual_condition_dim=16, label_condition_dim=16, caption_condition_dim=16, slot_count=8, mlp_ratio=2,
    )  # fmt: skip
    encoder = models.ImageEncoderConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, image_size=28, in_channels=4
    )
    vae = models.ShapeVAEConfig(
        n_samples=64, num_latents=8, embed_dim=4, num_freqs=4, width=16, heads=2, num_encoder_layers=1,
        num_decoder_layers=1, with_sharp_data=False, truncation=0.2,
    )  # fmt: skip
    return models.ModelConfig(
        name="random", image_encoder=encoder, vae=vae, denoiser=denoiser,
        adapter=models.AdapterConfig.for_denoiser(denoiser, frames=4), steps=3, guidance=2.0, time_shift=2.0,
        zero_init=False, frames=4, foreground_ratio=0.8,
    )  # fmt: skip
