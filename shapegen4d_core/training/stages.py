"""The stages in their order, from shards on disk to a model folder; every stage finds what the one before left.

``run/anchors.safetensors``, ``run/vae``, ``run/latents.safetensors``, ``run/base``, ``run/adapter``.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
from safetensors.numpy import load_file, save_file

from ..data.shards import read_shards
from ..data.slots import assign_slots, fit_anchors
from ..errors import InputError
from ..models import PRESETS, ModelBundle, ModelConfig, build, save
from ..models.layers import attention_implementation
from ..models.shape_vae import ShapeVAE
from ..storage import atomic_path
from .adapter import AdapterLoss, adapter_validation, train_adapter
from .base import BaseLoss, base_validation, train_base
from .latents import encode_clips
from .loop import TrainSettings
from .vae import VAELoss, train_vae, vae_validation

ANCHORS, LATENTS = "anchors.safetensors", "latents.safetensors"
ANCHOR_CLIPS = 500
ROWS_PER_SLOT = 2
KEEP_ALL = 1_000_000
DROP = 0.1


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


def slots_of(clips: dict[str, np.ndarray], anchors: np.ndarray) -> np.ndarray:
    """Candidate rows [clips,N,2] of the aligned points for every slot."""
    rows = ROWS_PER_SLOT * len(anchors)
    return np.stack([assign_slots(aligned[:, :rows], anchors) for aligned in clips["aligned"]])


def run_vae(data: Path, run: Path, settings: TrainSettings, batch: int, rank: int = 0, count: int = 1) -> None:
    """Train the autoencoder of the tiny preset on the shards in ``data``."""
    keys = ("surface", "aligned", "near", "uniform")
    clips, held_out = read_shards(data, "train", keys), read_shards(data, "test", keys)
    config = PRESETS["tiny"].vae
    if rank == 0:
        read_anchors(run, clips, config.num_latents)
    _barrier(count)
    anchors = read_anchors(run)
    validation = vae_validation(held_out, slots_of(held_out, anchors), KEEP_ALL)
    train_vae(clips, slots_of(clips, anchors), validation, run / "vae", config, settings, batch, rank, count)


def load_run_vae(run: Path) -> ShapeVAE:
    """The averaged autoencoder of a run, ready for inference."""
    loss = VAELoss(ShapeVAE(PRESETS["tiny"].vae))
    _restore(loss, run / "vae")
    return loss.vae.eval()


def run_latents(data: Path, run: Path) -> None:
    """Encode training and held-out clips; latents are scaled to unit deviation (``z_scale_factor``)."""
    vae, anchors, arrays = load_run_vae(run), read_anchors(run), {}
    for split in ("train", "test"):
        clips = read_shards(data, split, ("surface", "aligned"))
        arrays[split] = encode_clips(vae, clips, slots_of(clips, anchors), mirror=split == "train")
    scale = 1.0 / float(arrays["train"].astype(np.float32).std())
    arrays = {key: (value.astype(np.float32) * scale).astype(np.float16) for key, value in arrays.items()}
    with atomic_path(run / LATENTS) as temporary:
        save_file({**arrays, "scale": np.array([scale], dtype=np.float32)}, temporary)


def _pictures(data: Path, run: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    latents = load_file(run / LATENTS)
    clips = len(latents["train"]) // 2
    rgba = read_shards(data, "train", ("rgba",))["rgba"][:clips]
    return rgba, latents["train"], read_shards(data, "test", ("rgba",))["rgba"], latents["test"]


def new_base() -> BaseLoss:
    """Image encoder and denoiser of the tiny preset with fresh weights; blocks start as the identity."""
    config = PRESETS["tiny"]
    fresh = replace(config, denoiser=replace(config.denoiser, identity_init=True))
    model = build(fresh, parts=("image_encoder", "denoiser"))
    return BaseLoss(model.image_encoder, model.denoiser)


def run_base(data: Path, run: Path, settings: TrainSettings, batch: int, rank: int = 0, count: int = 1) -> None:
    """Train the image encoder and the base denoiser of the tiny preset."""
    rgba, latents, test_rgba, test_latents = _pictures(data, run)
    torch.manual_seed(settings.seed)
    loss, config = new_base(), PRESETS["tiny"]
    validation = base_validation(test_rgba, test_latents)
    with attention_implementation("explicit"):
        train_base(
            rgba,
            latents,
            loss.encoder,
            loss.denoiser,
            validation,
            run / "base",
            settings,
            config.train_time_shift,
            DROP,
            batch,
            rank,
            count,
        )


def load_run_base(run: Path) -> BaseLoss:
    """The averaged image encoder and base denoiser of a run."""
    loss = new_base()
    _restore(loss, run / "base")
    return loss.eval()


def run_adapter(data: Path, run: Path, settings: TrainSettings, batch: int, rank: int = 0, count: int = 1) -> None:
    """Train the adapter of the tiny preset, base and image encoder frozen."""
    rgba, latents, test_rgba, test_latents = _pictures(data, run)
    torch.manual_seed(settings.seed)
    base, config = load_run_base(run), PRESETS["tiny"]
    adapter = build(config, parts=("adapter",)).adapter
    validation = adapter_validation(test_rgba, test_latents)
    train_adapter(
        rgba,
        latents,
        adapter,
        base.encoder,
        base.denoiser,
        run / "adapter",
        settings,
        config.train_time_shift,
        DROP,
        True,
        batch,
        rank,
        count,
        validation,
    )


def run_export(run: Path, folder: Path) -> ModelConfig:
    """Write the trained networks, and the anchors, as a model folder in float16; returns its configuration."""
    base, vae = load_run_base(run), load_run_vae(run)
    scale = float(load_file(run / LATENTS)["scale"][0])
    vae.config = replace(vae.config, z_scale_factor=scale)
    denoiser = base.denoiser
    denoiser.config = replace(denoiser.config, identity_init=False)
    preset = PRESETS["tiny"]
    config = replace(preset, vae=vae.config, denoiser=denoiser.config, adapter=None)
    model = ModelBundle(config, image_encoder=base.encoder, vae=vae, denoiser=denoiser)
    if (run / "adapter" / "average.safetensors").exists():
        loss = AdapterLoss(build(preset, parts=("adapter",)).adapter, base.encoder, denoiser)
        _restore(loss, run / "adapter")
        model = replace(model, adapter=loss.adapter, config=replace(config, adapter=loss.adapter.config))
    save(model, folder)
    with atomic_path(folder / ANCHORS) as temporary:
        save_file({"anchors": read_anchors(run)}, temporary)
    return model.config


def _restore(loss: torch.nn.Module, folder: Path) -> None:
    path = folder / "average.safetensors"
    if not path.exists():
        raise InputError(f"{path} is missing; train that stage first.")
    loss.load_state_dict({key: torch.from_numpy(value) for key, value in load_file(path).items()})


def _barrier(count: int) -> None:
    if count > 1:
        dist.barrier()
