"""A finished tiny model laid out as a run, so that any stage of its training can go on."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

from safetensors.numpy import save_file as save_arrays
from safetensors.torch import save_file
from torch import nn

from ..errors import InputError
from ..models import PRESETS, load
from ..models.layout import model_folder
from ..storage import atomic_path
from .adapter import AdapterLoss
from .base import BaseLoss
from .loop import SETTINGS
from .networks import ANCHORS, read_anchors
from .origins import weights_origin
from .state import AVERAGE
from .vae import VAELoss

STAGES = ("vae", "base", "adapter")


def run_start(run: Path, model: str) -> list[str]:
    """Write the networks of ``model`` into an empty ``run`` folder as if they had been trained there.

    Every stage that is then trained begins with these weights and a fresh budget; the names of the stages written are
    returned. Raises InputError for a model that is not of the tiny preset's sizes, and for a run that has begun.
    """
    begun = [stage for stage in STAGES if (run / stage).exists()]
    if begun:
        raise InputError(f"{run} holds {', '.join(begun)} already; give an empty --folder to start from a model.")
    bundle, preset = load(model), PRESETS["tiny"]
    config = replace(bundle.config, vae=replace(bundle.config.vae, z_scale_factor=preset.vae.z_scale_factor))
    for part in ("vae", "image_encoder", "denoiser"):
        if getattr(config, part) != getattr(preset, part):
            raise InputError(f"The {part} of {model} is not of the tiny preset's sizes; only such models start a run.")
    networks: dict[str, nn.Module] = {
        "vae": VAELoss(bundle.vae),
        "base": BaseLoss(bundle.image_encoder, bundle.denoiser),
    }
    if bundle.adapter is not None:
        networks["adapter"] = AdapterLoss(bundle.adapter, bundle.image_encoder, bundle.denoiser)
    anchors = read_anchors(model_folder(model))
    try:
        for stage, network in networks.items():
            (run / stage).mkdir(parents=True)
            with atomic_path(run / stage / AVERAGE) as temporary:
                save_file({name: value.float().contiguous() for name, value in network.state_dict().items()}, temporary)
        if "adapter" in networks:  # so that it is not put on a base that went on without it
            said = {"base": weights_origin(run / "base")}
            (run / "adapter" / SETTINGS).write_text(json.dumps(said), encoding="utf-8")
        with atomic_path(run / ANCHORS) as temporary:
            save_arrays({"anchors": anchors}, temporary)
    except BaseException:
        for stage in networks:  # none of them was there before
            shutil.rmtree(run / stage, ignore_errors=True)
        raise
    return list(networks)
