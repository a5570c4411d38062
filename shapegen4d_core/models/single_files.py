"""Models put together from single files, each wherever the host keeps files of its kind."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from math import prod
from pathlib import Path
from typing import Any

import torch
from torch import nn

from .. import published
from ..errors import InputError
from ..progress import Check, Progress
from .bundle import ModelBundle, checked_parts
from .checkpoint import header_json, read_bundle
from .layout import SETTINGS_FILE
from .parts import PARTS
from .presets import PRESETS, ModelConfig
from .recognise import config_beside, recognised_config, whole
from .weights import Weights, open_weights, read_json

# Sizes of the denoiser tell the published models apart.
PUBLISHED = {published.BASE: PRESETS["step1x-3d"], published.LABEL: PRESETS["step1x-3d-label"]}


def load_files(
    files: Mapping[str, str | os.PathLike],
    name: str,
    dtype: torch.dtype | None = None,
    device: Any = "cpu",
    ops: Any = nn,
    progress: Progress | None = None,
    check: Check | None = None,
) -> ModelBundle:
    """The model whose parts are the given .safetensors files, by part name; the rest as for ``checkpoint.load``.

    name: of the model, where its files do not say it. Published files are recognised by their tensors; other ones must
    carry their configuration and their training settings. Raises InputError, in one sentence, for a file that is
    something else, and for files that do not belong together.
    """
    config, found = _recognised(files, name)
    bundle = read_bundle(config, found, dtype, device, ops, progress, check)
    _check_origins(bundle)
    return bundle


def count_parameters(files: Mapping[str, str | os.PathLike]) -> int:
    """How many numbers the files hold, from their headers."""
    opened = (open_weights(whole(Path(file))) for file in files.values())
    return sum(prod(shape) for weights in opened for shape in weights.shapes.values())


def files_read(files: Mapping[str, str | os.PathLike]) -> list[Path]:
    """Every file that :func:`load_files` reads: shards, configurations and settings beside them as well."""
    found = {key: open_weights(whole(Path(file))) for key, file in files.items()}
    beside = [config_beside(PARTS[key], weights) for key, weights in found.items()]
    beside += [settings_file(found["denoiser"].files[0])] if "denoiser" in found else []
    return [*(file for weights in found.values() for file in weights.files), *filter(None, beside)]


def settings_file(denoiser: Path) -> Path | None:
    """Where a model keeps its training settings beside its denoiser: in the same folder, or above the usual one."""
    folders = [denoiser.parent]
    if denoiser.parent.name == PARTS["denoiser"].folder:
        folders.append(denoiser.parent.parent)
    return next((folder / SETTINGS_FILE for folder in folders if (folder / SETTINGS_FILE).is_file()), None)


def _recognised(files: Mapping[str, str | os.PathLike], name: str) -> tuple[ModelConfig, dict[str, Weights]]:
    found = {key: open_weights(whole(Path(files[key]))) for key in checked_parts(files)}
    configs = {key: recognised_config(key, weights) for key, weights in found.items()}
    config = replace(ModelConfig(name=name), **configs)
    if "denoiser" in found:
        _check_variant(config, found)
        config = config.with_settings(_settings(config, found["denoiser"]))
    return config, found


def _settings(config: ModelConfig, denoiser: Weights) -> dict[str, Any]:
    """How the model was trained: in the denoiser's header, or beside it, or as published."""
    if "settings" in denoiser.metadata:  # surer than a file beside, in a folder that many models may share
        return header_json(denoiser, "settings")
    beside = settings_file(denoiser.files[0])
    if beside is not None:
        return read_json(beside)
    if _variant(config) is not None:
        return {}
    raise InputError(
        f"{denoiser.label} is no published denoiser and does not say how it was trained; put the {SETTINGS_FILE} "
        "of its model beside it."
    )


def _variant(config: ModelConfig) -> str | None:
    """The published model whose sizes the denoiser has."""
    return next((model for model, preset in PUBLISHED.items() if preset.denoiser == config.denoiser), None)


def _check_variant(config: ModelConfig, found: Mapping[str, Weights]) -> None:
    """Raise InputError unless the denoiser gets the tokens it was trained with, which no tensor shape shows."""
    labels, variant = config.denoiser.use_label_condition, _variant(config)
    denoiser = found["denoiser"].label
    if labels and "label_encoder" not in found:
        where = published.where("label_encoder", published.LABEL)
        raise InputError(f"{denoiser} reads labels: choose its label_encoder as well; that of Step1X-3D is {where}.")
    if not labels and "label_encoder" in found:
        raise InputError(f"{denoiser} reads no labels; choose none as the label_encoder.")
    if variant is None or "image_encoder" not in found:
        return
    if config.image_encoder.use_clip != PUBLISHED[variant].image_encoder.use_clip:
        other = "without" if labels else "with"
        raise InputError(
            f"{denoiser} belongs to {variant}, but {found['image_encoder'].label} is an image encoder {other} a CLIP "
            f"tower; the right one is {published.where('image_encoder', variant)}."
        )


def _check_origins(bundle: ModelBundle) -> None:
    """Raise InputError when a file is a published one of another model: both autoencoders have the same sizes."""
    variant = _variant(bundle.config) if bundle.denoiser is not None else None
    for name, sha256 in bundle.weights.items():
        file = published.by_hash(sha256)
        if variant is not None and file is not None and file.model != variant:
            raise InputError(
                f"{name} is that of {file.model}, but the denoiser belongs to {variant}; the right one is "
                f"{published.where(file.part, variant)}."
            )
