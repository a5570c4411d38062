"""Where the networks of a run come from: fresh ones of the tiny preset, trained stages, or a published folder."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from ..data.slots import fit_anchors
from ..errors import InputError
from ..models import PRESETS, AdapterConfig, ModelBundle, ModelConfig, build, load
from ..models.adapter import SpatioTemporalAdapter
from ..models.shape_vae import ShapeVAE
from ..storage import atomic_path
from .adapter import AdapterLoss
from .base import BaseLoss
from .loop import load_average, read_settings
from .origins import check_latents, check_stage
from .vae import VAELoss

ANCHORS, LATENTS = "anchors.safetensors", "latents.safetensors"
ANCHOR_CLIPS = 500


def read_anchors(folder: Path, data: dict[str, np.ndarray] | None = None, count: int = 0) -> np.ndarray:
    """The slot anchors [N,3] of a run or model folder; made from ``data`` and written when they are missing."""
    path = folder / ANCHORS
    if not path.exists():
        if data is None:
            raise InputError(f"{path} is missing; train the autoencoder first.")
        made = fit_anchors(data["aligned"][:ANCHOR_CLIPS], count)
        folder.mkdir(parents=True, exist_ok=True)
        with atomic_path(path) as temporary:
            save_file({"anchors": made}, temporary)
    return load_file(path)["anchors"]


def fresh_base(slots: bool = True) -> BaseLoss:
    """Image encoder and denoiser of the tiny preset with fresh weights; blocks start as the identity.

    ``slots`` False leaves the latents unordered, as the published model does.
    """
    config = PRESETS["tiny"]
    count = config.denoiser.slot_count if slots else 0
    fresh = replace(config, denoiser=replace(config.denoiser, identity_init=True, slot_count=count))
    model = build(fresh, parts=("image_encoder", "denoiser"))
    return BaseLoss(model.image_encoder, model.denoiser)


def run_vae_network(run: Path, model: str | None = None) -> tuple[ShapeVAE, ModelConfig]:
    """The averaged autoencoder of a run, or the one of a published folder, with the model's configuration."""
    if model is None:
        return load_average(run / "vae", VAELoss(ShapeVAE(PRESETS["tiny"].vae))).vae, PRESETS["tiny"]
    bundle = load(model, parts=("vae",))
    return bundle.vae.eval(), bundle.config


def scaled(vae: ShapeVAE, latents: Path) -> ShapeVAE:
    """``vae`` told the scale its latents were stored at in the file ``latents`` (``z_scale_factor``)."""
    with safe_open(str(latents), "np") as file:
        scale = float(file.get_tensor("scale")[0])
    vae.config = replace(vae.config, z_scale_factor=scale)
    return vae


def run_base_networks(run: Path, model: str | None = None, folder: str = "base") -> tuple[BaseLoss, ModelConfig]:
    """Image encoder and base denoiser with their configuration: averaged ones of a run, or a published folder's."""
    if model is None:
        loss = load_average(run / folder, fresh_base(read_settings(run / folder).get("options", {}).get("slots", True)))
        loss.denoiser.config = replace(loss.denoiser.config, identity_init=False)
        return loss, replace(PRESETS["tiny"], denoiser=loss.denoiser.config)
    bundle = load(model, parts=("image_encoder", "denoiser"))
    return BaseLoss(bundle.image_encoder, bundle.denoiser).eval(), bundle.config


def fresh_adapter(config: ModelConfig, changes: dict | None = None) -> SpatioTemporalAdapter:
    """A new adapter that changes nothing yet; ``changes`` are fields of its configuration."""
    wanted = config.adapter or AdapterConfig.for_denoiser(config.denoiser)
    return build(replace(config, adapter=replace(wanted, **(changes or {}))), parts=("adapter",)).adapter


def trained_adapter(run: Path, base: BaseLoss, config: ModelConfig, folder: str = "adapter") -> SpatioTemporalAdapter:
    """The averaged adapter of a run, of the configuration it was trained in."""
    adapter = fresh_adapter(config, read_settings(run / folder).get("options", {}).get("changes"))
    return load_average(run / folder, AdapterLoss(adapter, base.encoder, base.denoiser)).adapter


def finished_model(run: Path, adapter: str | None = "adapter", base: str = "base") -> ModelBundle:
    """The tiny model of a run from the stages in the folders ``base`` and ``adapter`` (None: without).

    Raises InputError when a stage is missing, or was made from another state of the one before.
    """
    loss, config = run_base_networks(run, folder=base)
    vae = scaled(run_vae_network(run)[0], run / LATENTS)
    check_latents(run / LATENTS, run)
    check_stage(run / base, read_settings(run / base), run / "vae")
    if adapter:
        check_stage(run / adapter, read_settings(run / adapter), run / base)
    layers = trained_adapter(run, loss, config, adapter) if adapter else None
    config = replace(config, vae=vae.config, adapter=layers.config if layers is not None else None)
    return ModelBundle(config, image_encoder=loss.encoder, vae=vae, denoiser=loss.denoiser, adapter=layers)
