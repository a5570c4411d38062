"""Loading models: published folders as they are, our own, and single files for hosts (spec 8, 9).

A folder holds ``transformer/``, ``vae/`` and ``visual_encoder/`` (``label_encoder/`` for a label model),
each with ``config.json`` and weights in safetensors, whole or in shards. Ours adds
``spatiotemporal.safetensors`` and ``.json`` (the adapter) and ``shapegen4d.json`` (what departs from the
paper, and sampling defaults).
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from math import prod
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import InputError
from ..progress import Check, Meter, Progress
from .adapter import SpatioTemporalAdapter
from .bundle import ModelBundle, check_fit, checked_parts
from .denoiser import Denoiser
from .hashes import file_hashes
from .image_encoder import ImageEncoder
from .label_encoder import LabelEncoder
from .layout import check_complete, model_folder, part_path, part_paths, settings_of
from .parts import PARTS, Part
from .presets import ModelConfig
from .shape_vae import ShapeVAE
from .weights import (
    Weights,
    WithoutInit,
    fill,
    find_weights,
    matched_names,
    open_weights,
    read_into,
    read_json,
)

Source = str | os.PathLike | Mapping[str, Tensor]
MOST_LAYERS = 1000  # of a network; more in a configuration is damage


def load(
    folder: str | os.PathLike,
    dtype: torch.dtype | None = None,
    device: Any = "cpu",
    ops: Any = nn,
    parts: Iterable[str] | None = None,
    progress: Progress | None = None,
    check: Check | None = None,
) -> ModelBundle:
    """The model in a folder, or the bundled one for "tiny", ready for inference.

    dtype: of the weights (None: float32; the field head keeps float32 always). parts: names of those
    wanted, of image_encoder, vae, denoiser, adapter, label_encoder; the last two are skipped where a folder
    has none. progress: steps are bytes. check: called every few MiB; it may raise to cancel. Raises
    InputError when something is missing, is not safetensors or does not fit.
    """
    root = model_folder(folder)
    locations = part_paths(root, checked_parts(parts), explicit=parts is not None)
    found = {key: open_weights(path) for key, path in locations.items()}
    configs = {key: config_of(PARTS[key], weights) for key, weights in found.items()}
    config = replace(ModelConfig(name=root.name), **configs).with_settings(settings_of(root))
    return read_bundle(config, found, dtype, device, ops, progress, check)


def read_bundle(
    config: ModelConfig,
    found: Mapping[str, Weights],
    dtype: torch.dtype | None,
    device: Any,
    ops: Any,
    progress: Progress | None,
    check: Check | None,
) -> ModelBundle:
    """The networks of ``config`` with the weights ``found`` by part; nothing is read unless everything fits."""
    check_fit(config, found)
    networks, names = {}, {}
    for key, weights in found.items():
        networks[key] = _empty(PARTS[key], getattr(config, key), weights, dtype, ops)
        part = PARTS[key]
        names[key] = matched_names(networks[key], weights, part.what, part.rename, part.unused)
    meter = Meter(2 * sum(size_of(weights) for weights in found.values()), progress, check)
    hashes: dict[str, str] = {}
    for key, weights in found.items():
        read_into(networks[key], weights, names[key], device, meter.advance)
        sums = file_hashes(weights.files, meter.advance)
        hashes |= {name if name not in hashes else f"{key}/{name}": value for name, value in sums.items()}
    return ModelBundle(config, **networks, weights=hashes)


def _load_part(part: Part, source: Source, config: Any, dtype: Any, device: Any, ops: Any) -> nn.Module:
    weights = open_weights(source)
    network = _empty(part, config_of(part, weights, config), weights, dtype, ops)
    fill(network, weights, part.what, part.rename, part.unused, device)
    return network


def _empty(part: Part, config: Any, weights: Weights, dtype: torch.dtype | None, ops: Any) -> nn.Module:
    """The network of a part on the meta device; raises InputError, naming the weights, for sizes that none can have."""
    try:
        if any(depth > MOST_LAYERS for depth in _depths(config)):
            raise ValueError(f"more than {MOST_LAYERS} layers")  # building them would take hours
        with WithoutInit():
            return part.network(config, ops=ops, dtype=dtype or torch.float32, device="meta")
    except InputError:
        raise
    except (RuntimeError, TypeError, ValueError, OverflowError) as error:
        raise InputError(
            f"{weights.label} cannot be used: no {part.what} can be built of the sizes that its configuration gives."
        ) from error


def _depths(config: Any) -> Iterator[int]:
    """All numbers of layers in a configuration and those inside it."""
    for entry in fields(config):
        value = getattr(config, entry.name)
        if is_dataclass(value):
            yield from _depths(value)
        elif entry.name.endswith("layers"):
            yield value


def size_of(weights: Weights) -> int:
    """Bytes of the files of weights."""
    return sum(file.stat().st_size for file in weights.files)


def config_of(part: Part, weights: Weights, given: Any = None, look_beside: bool = True) -> Any:
    """The configuration given, or that beside the weights, in their header, or read off the shapes."""
    if isinstance(given, part.config):
        return given
    if given is not None:
        return part.config.from_dict(given)
    beside = weights.files[0].parent / part.config_file if weights.files and look_beside else None
    if beside is not None and beside.is_file():
        return part.config.from_dict(read_json(beside))
    if "config" in weights.metadata:
        return part.config.from_dict(header_json(weights, "config"))
    names = {part.rename(name): shape for name, shape in weights.shapes.items()}
    try:
        return part.infer(names)
    except (LookupError, TypeError, ArithmeticError) as error:
        raise InputError(f"{weights.label} has tensors of shapes that no {part.what} has.") from error


def header_json(weights: Weights, key: str) -> dict[str, Any]:
    """A JSON object kept as text in the header of a file; raises InputError when it is none."""
    try:
        values = json.loads(weights.metadata[key])
    except (ValueError, RecursionError) as error:
        raise InputError(f"{weights.label} has a damaged header: its {key} is not JSON text.") from error
    if not isinstance(values, dict):
        raise InputError(f"{weights.label} has a damaged header: its {key} is not a JSON object.")
    return values


def load_image_encoder(
    source: Source, config: Any = None, dtype: Any = None, device: Any = "cpu", ops: Any = nn
) -> ImageEncoder:
    """The image encoder of a file, folder or state dict.

    config: an object or dictionary; None: ``config.json`` beside the file, else the file's header, else the
    shapes.
    """
    return _load_part(PARTS["image_encoder"], source, config, dtype, device, ops)


def load_vae(
    source: Source, config: Any = None, dtype: Any = None, device: Any = "cpu", ops: Any = nn
) -> ShapeVAE:
    """The shape autoencoder of a file, folder or state dict; ``config`` as for :func:`load_image_encoder`."""
    return _load_part(PARTS["vae"], source, config, dtype, device, ops)


def load_denoiser(
    source: Source, config: Any = None, dtype: Any = None, device: Any = "cpu", ops: Any = nn
) -> Denoiser:
    """The denoiser of a file, folder or state dict; ``config`` as for :func:`load_image_encoder`."""
    return _load_part(PARTS["denoiser"], source, config, dtype, device, ops)


def load_adapter(
    source: Source, config: Any = None, dtype: Any = None, device: Any = "cpu", ops: Any = nn
) -> SpatioTemporalAdapter:
    """The adapter of a file or state dict; its configuration must be given, in the header or beside."""
    return _load_part(PARTS["adapter"], source, config, dtype, device, ops)


def load_label_encoder(
    source: Source, config: Any = None, dtype: Any = None, device: Any = "cpu", ops: Any = nn
) -> LabelEncoder:
    """The label encoder of a file, folder or state dict; ``config`` as for :func:`load_image_encoder`."""
    return _load_part(PARTS["label_encoder"], source, config, dtype, device, ops)


def info(folder: str | os.PathLike) -> dict[str, Any]:
    """What a model folder holds, from headers only: settings, and per part its sizes and configuration.

    Per part: parameters, tensors, bytes on disk, dtypes (count of tensors each), files and config (None
    without a configuration file). Raises InputError as :func:`load`.
    """
    root = model_folder(folder)
    found = {key: part_path(root, PARTS[key]) for key in PARTS}
    check_complete(root, found)
    parts = {key: _part_info(PARTS[key], path) for key, path in found.items() if path is not None}
    return {"folder": str(root), "settings": settings_of(root), "parts": parts}


def _part_info(part: Part, path: Path) -> dict[str, Any]:
    weights = open_weights(find_weights(path) if path.is_dir() else path)
    config = weights.files[0].parent / part.config_file
    return {
        "parameters": sum(prod(shape) for shape in weights.shapes.values()),
        "tensors": len(weights.shapes),
        "bytes": size_of(weights),
        "dtypes": dict(Counter(weights.dtypes.values())),
        "files": [file.name for file in weights.files],
        "config": read_json(config) if config.is_file() else None,
    }
