"""The stages in their order, from shards on disk to a model folder; every stage finds what the one before left.

``run/anchors.safetensors``, ``run/vae``, ``run/latents.safetensors``, ``run/base``, ``run/adapter``. With the folder of
a published model the first two trainings fall away: its autoencoder makes the latents, its denoiser is the frozen base.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from safetensors.numpy import save_file
from torch import nn

from ..data.shards import Shard, open_shards, read_shards, stored_pictures
from ..data.slots import assign_slots
from ..data.stored import StoredArray, StoredRows, create_arrays, stored_array
from ..errors import InputError
from ..models import PRESETS, ModelConfig, save
from ..models.config import ShapeVAEConfig
from ..models.denoiser_blocks import DualBlock, SingleBlock
from ..models.image_encoder import Layer
from ..models.layers import attention_implementation
from ..models.layout import model_folder
from ..models.parts import PARTS
from ..models.saving import save_part
from ..models.shape_vae import ShapeVAE
from ..models.vae_blocks import CrossBlock, SelfBlock
from ..progress import Check, Progress
from ..setting_checks import check_between
from ..storage import atomic_path
from .adapter import AdapterLoss, adapter_batches, adapter_validation
from .bank import FrameBank
from .base import base_batches, base_validation
from .latents import Choose, deviation, encode_shards, independent_points, scale_values
from .loop import Stage, train
from .networks import (
    ANCHORS,
    LATENTS,
    finished_model,
    fresh_adapter,
    fresh_base,
    read_anchors,
    run_base_networks,
    run_vae_network,
    trained_adapter,
)
from .origins import check_latents, latents_origin, weights_origin
from .pictures import generation_sheet, reconstruction_sheet
from .settings import TrainSettings
from .state import AVERAGE
from .vae import PointBank, VAELoss, vae_batches, vae_validation
from .workers import Workers, recompute

ROWS_PER_SLOT = 2
DROP = 0.1
BLOCKS = (DualBlock, SingleBlock, SelfBlock, CrossBlock, Layer)


@dataclass(frozen=True)
class BaseOptions:
    """What the base stage may change: a learned place for every latent or none, and the shift of noise levels.

    slots: latents have a fixed order that the denoiser knows (False: an unordered set, as published). shift: of the
    noise levels in training, None for the preset's. folder: name of the stage's folder in the run.
    """

    slots: bool = True
    shift: float | None = None
    folder: str = "base"


@dataclass(frozen=True)
class AdapterOptions:
    """What the adapter stage may change: the ablations of the paper's Table 3 and clean context frames.

    correlation: of the noise between the frames of a clip, 1 (one noise for all) to 0. clean: share of clips in which
    some frames are held clean. changes: fields of the adapter's configuration, such as ``attention``. folder: name of
    the stage's folder in the run; latents: file of the latents it learns from.
    """

    correlation: float = 1.0
    clean: float = 0.0
    changes: dict = field(default_factory=dict)
    folder: str = "adapter"
    latents: str = LATENTS

    def __post_init__(self) -> None:
        check_between("correlation", self.correlation, 0, 1, " (--correlation)")


def slots_of(clips: dict[str, np.ndarray], anchors: np.ndarray) -> np.ndarray:
    """Candidate rows [clips,N,2] of the aligned points for every slot."""
    rows = ROWS_PER_SLOT * len(anchors)
    return np.stack([assign_slots(aligned[:, :rows], anchors) for aligned in clips["aligned"]])


def prefix_slots(clips: dict[str, np.ndarray], config: ShapeVAEConfig, latents: int) -> np.ndarray:
    """Rows [clips,N,1] of models whose latents have no order: the first N aligned points of each clip.

    With sharp-edge clouds half of the latents come from either kind of points.
    """
    count = latents // 2 if config.with_sharp_data else latents
    for key in ("aligned", "aligned_sharp")[: 2 if config.with_sharp_data else 1]:
        if clips[key].shape[2] < count:
            raise InputError(
                f"The shards hold {clips[key].shape[2]} {key} points and the model wants {count}; curate with more."
            )
    return np.tile(np.arange(count)[:, None], (len(clips["aligned"]), 1, 1))


def run_vae(data: Path, run: Path, settings: TrainSettings, workers: Workers, **callbacks) -> None:
    """Train the autoencoder of the tiny preset on the shards in ``data``."""
    keys = ("surface", "aligned", "near", "uniform")
    clips, held_out = read_shards(data, "train", keys), read_shards(data, "test", keys)
    config = PRESETS["tiny"].vae
    if workers.main:
        read_anchors(run, clips, config.num_latents)
    workers.wait()
    anchors = read_anchors(run)
    torch.manual_seed(settings.seed)
    loss = VAELoss(ShapeVAE(config))
    stage = _stage(loss, settings, [loss])
    bank = PointBank(clips, slots_of(clips, anchors), workers.device)
    stage.batches = vae_batches(bank, config.embed_dim, settings.seed)
    judged = PointBank({key: held_out[key][:32] for key in keys}, slots_of(held_out, anchors)[:32], workers.device)
    stage.evaluate = vae_validation(judged)
    stage.picture = partial(reconstruction_sheet, held_out["surface"][0], held_out["aligned"][0], judged.slots[0])
    train(stage, run / "vae", settings, workers, **callbacks)


def _aligned(
    folder: Path, config: ShapeVAEConfig, latents: int | None, clips: dict[str, np.ndarray], *_: int
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """The clips of a shard with the rows that become latents: by slot where the folder has anchors, else the first."""
    if (folder / ANCHORS).exists():
        return clips, slots_of(clips, read_anchors(folder))
    return clips, prefix_slots(clips, config, latents or config.num_latents)


def _independent(run: Path, clips: dict[str, np.ndarray], views: int, first: int) -> tuple[dict, np.ndarray]:
    """The clips of a shard, one per view, with query points chosen anew in every frame, and their slots."""
    anchors = read_anchors(run)
    clips = {key: np.repeat(value, views // len(value), axis=0) for key, value in clips.items()}
    picked = [np.stack(list(independent_points(rows, anchors, first + i))) for i, rows in enumerate(clips["surface"])]
    return {**clips, "aligned": np.stack(picked)}, np.tile(np.arange(len(anchors))[:, None], (views, 1, 2))


def run_latents(
    data: Path,
    run: Path,
    model: str | None = None,
    queries: str = "aligned",
    device: torch.device | str = "cpu",
    latents: int | None = None,
    progress: Progress | None = None,
    check: Check | None = None,
) -> None:
    """Encode training and held-out clips; those of the tiny preset are scaled to unit deviation.

    One shard and a few million values are in memory at a time, latents go straight to the file. ``queries``
    "independent" chooses them anew in every frame (the paper's ablation) and writes another file.
    """
    vae, config = run_vae_network(run, model)
    vae.to(device)
    keys = ("surface", "aligned") + (("sharp", "aligned_sharp") if vae.config.with_sharp_data else ())
    splits = {split: open_shards(data, split, keys, config.frame) for split in ("train", "test")}
    folder = run if model is None else model_folder(model)
    choose = partial(_independent, run) if queries == "independent" else partial(_aligned, folder, vae.config, latents)
    run.mkdir(parents=True, exist_ok=True)
    with atomic_path(run / (LATENTS if queries == "aligned" else f"{queries}_{LATENTS}")) as temporary:
        shapes = {split: _latents_shape(vae.config, shards, choose, split) for split, shards in splits.items()}
        layout = {**{split: (shape, np.float16) for split, shape in shapes.items()}, "scale": ((1,), np.float32)}
        file = create_arrays(temporary, layout, latents_origin(data, run, model))
        for split, shards in splits.items():
            encode_shards(vae, shards, choose, file[split], progress, check)
        known = run / LATENTS if queries == "independent" else None
        scale = 1.0 if model is not None else _unit_scale(file["train"], known)
        for split in splits if model is None else ():
            scale_values(file[split], scale)
        file["scale"].write(0, np.array([scale], dtype=np.float32))


def _latents_shape(config: ShapeVAEConfig, shards: list[Shard], choose: Choose, split: str) -> tuple[int, ...]:
    """[clips or 2*clips,T,N,C] of the latents of a split: those for training have their mirror images behind them."""
    views, frames = sum(shard.views for shard in shards), shards[0].shapes["aligned"][0][0]
    slots = choose(shards[0].read(), shards[0].views, 0)[1]
    count = slots.shape[1] * (2 if config.with_sharp_data else 1)
    return (views * (2 if split == "train" else 1), frames, count, config.embed_dim)


def _unit_scale(encoded: StoredArray, known: Path | None) -> float:
    """The factor that gives ``encoded`` unit deviation, or the one the latents in the file ``known`` have."""
    if known is None or not known.exists():
        return 1.0 / deviation(encoded)
    with safe_open(known, "np") as file:
        return float(file.get_tensor("scale")[0])


def _banks(data: Path, latents: Path, config: ModelConfig, device: torch.device) -> tuple[FrameBank, FrameBank]:
    """Training and held-out pictures with their latents; large ones stay in their files."""
    if not latents.exists():
        raise InputError(f"{latents} is missing; run the latents stage first.")
    check_latents(latents, latents.parent, data)
    pictures = {split: stored_pictures(data, split, config.frame) for split in ("train", "test")}
    encoded = {split: StoredRows([stored_array(latents, split)]) for split in pictures}
    return tuple(FrameBank(pictures[split], encoded[split], config.image_encoder, device) for split in pictures)


def run_base(
    data: Path,
    run: Path,
    settings: TrainSettings,
    workers: Workers,
    options: BaseOptions | None = None,
    **callbacks,
) -> None:
    """Train the image encoder and the base denoiser of the tiny preset."""
    options, config = options or BaseOptions(), PRESETS["tiny"]
    bank, held_out = _banks(data, run / LATENTS, config, workers.device)
    torch.manual_seed(settings.seed)
    loss = fresh_base(options.slots)
    stage = _stage(loss, settings, [loss], options)
    stage.metadata["vae"] = weights_origin(run / "vae")
    stage.batches = base_batches(bank, options.shift or config.train_time_shift, DROP, settings.seed)
    stage.evaluate = base_validation(held_out)
    stage.picture = partial(generation_sheet, run, held_out)
    train(stage, run / options.folder, settings, workers, **callbacks)


def run_adapter(
    data: Path,
    run: Path,
    settings: TrainSettings,
    workers: Workers,
    model: str | None = None,
    options: AdapterOptions | None = None,
    **callbacks,
) -> None:
    """Train the adapter of the tiny preset, or of the published ``model``, its base and image encoder frozen."""
    options = options or AdapterOptions()
    base, config = run_base_networks(run, model)
    bank, held_out = _banks(data, run / options.latents, config, workers.device)
    torch.manual_seed(settings.seed)
    options = replace(options, changes={**options.changes, "frames": bank.frames})
    adapter = fresh_adapter(config, options.changes)
    adapter.copy_single_blocks(base.denoiser)
    half = settings.precision == "bf16" and workers.device.type == "cuda" and model is not None
    base.to(device=workers.device, dtype=torch.bfloat16 if half else None)
    loss = AdapterLoss(adapter, base.encoder, base.denoiser)
    stage = _stage(loss, settings, [adapter, base.denoiser], options)
    if model is None:
        stage.metadata["base"] = weights_origin(run / "base")
    noise = {"correlation": options.correlation, "clean": options.clean, "seed": settings.seed}
    stage.batches = adapter_batches(bank, config.train_time_shift, DROP, **noise)
    stage.evaluate = adapter_validation(held_out)
    stage.picture = partial(generation_sheet, run, held_out) if model is None else None
    train(stage, run / options.folder, settings, workers, **callbacks)


def _stage(loss: nn.Module, settings: TrainSettings, recomputed: list[nn.Module], options: object = None) -> Stage:
    """A stage without data: blocks for sharding and checkpointing, and the faster attention on a CPU."""
    if settings.checkpointing:
        recompute(recomputed, BLOCKS)
    metadata = {} if options is None else {"options": asdict(options)}
    context = None if torch.cuda.is_available() else partial(attention_implementation, "explicit")
    return Stage(loss, batches=None, blocks=BLOCKS, context=context, metadata=metadata)


def run_export(run: Path, folder: Path, model: str | None = None) -> None:
    """Write the trained networks as a model folder in float16, with the anchors of the tiny preset.

    With a published ``model`` only ``spatiotemporal.safetensors`` is written, to be put beside its folders. Raises
    InputError when the stages do not belong together, and when the folder holds an adapter and the run has none.
    """
    if model is not None:
        adapter = trained_adapter(run, *run_base_networks(run, model))
        save_part(PARTS["adapter"], adapter, folder, torch.float16)
        return
    adapter = "adapter" if (run / "adapter" / AVERAGE).exists() else None
    old = folder / PARTS["adapter"].weights_file
    if adapter is None and old.exists():
        raise InputError(f"{old} is of another export and this run has no adapter; give an empty --output.")
    save(finished_model(run, adapter), folder)
    with atomic_path(folder / ANCHORS) as temporary:
        save_file({"anchors": read_anchors(run)}, temporary)
