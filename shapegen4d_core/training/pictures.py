"""Contact sheets while training: held-out pictures above what the current averaged weights make of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..camera import Camera
from ..decoding import DecodeSettings, decode_sequence
from ..models import PRESETS
from ..models.shape_vae import ShapeVAE
from ..rendering import contact_sheet, render_sequence, save_png
from ..sampling import SamplerSettings, sample
from ..sequence import LatentSequence
from .adapter import AdapterLoss
from .bank import FrameBank
from .base import BaseLoss
from .latents import encode_clip
from .networks import LATENTS, run_vae_network, scaled
from .vae import VAELoss

CLIPS, RESOLUTION, SIZE = 2, 48, 128
FRONT = Camera(0.0, 10.0, 5.8, (0.0, 0.0, 0.0), 23.0, SIZE, SIZE)


@torch.no_grad()
def generation_sheet(run: Path, bank: FrameBank, module: BaseLoss | AdapterLoss, path: Path | None) -> None:
    """Input frames, the decoded true latents and generated meshes of the first held-out clips."""
    encoder, denoiser = module.frozen if isinstance(module, AdapterLoss) else (module.encoder, module.denoiser)
    adapter = module.adapter if isinstance(module, AdapterLoss) else None
    vae, config, rows = scaled(run_vae_network(run)[0], run / LATENTS), PRESETS["tiny"], []
    settings = SamplerSettings(config.steps, config.guidance, config.time_shift, zero_init=config.zero_init)
    for clip in range(min(CLIPS, bank.clips)):
        index = np.full(bank.frames, clip)
        pixels, truth = bank.take(index, np.arange(bank.frames), np.zeros_like(index), None)
        made = sample(denoiser, encoder.tokens(pixels), settings, adapter=adapter)
        rows += [bank.rgba[clip].cpu().numpy(), _rendered(vae, truth), _rendered(vae, made)]
    _save(rows, ("input", "decoded truth", "generated") * (len(rows) // 3), path)


@torch.no_grad()
def reconstruction_sheet(
    surface: np.ndarray, aligned: np.ndarray, slots: np.ndarray, module: VAELoss, path: Path | None
) -> None:
    """The meshes the autoencoder makes of one held-out clip: surface [T,P,6], aligned [T,Q,6], slots [N,K]."""
    latents = torch.from_numpy(encode_clip(module.vae, surface, aligned, slots)).float()
    _save([_rendered(module.vae, latents)], ("reconstruction",), path)


def _rendered(vae: ShapeVAE, latents: Tensor) -> np.ndarray:
    value = LatentSequence(latents.float().cpu(), 8.0, "sheet", "tiny")
    return render_sequence(decode_sequence(vae, value, DecodeSettings(resolution=RESOLUTION)), FRONT).numpy()


def _save(rows: list[np.ndarray], labels: tuple[str, ...], path: Path | None) -> None:
    if path is None:  # a process that only lends its share of the weights
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    save_png(contact_sheet(rows, labels=labels), path)
