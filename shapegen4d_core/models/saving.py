"""Writing models in the published layout, extended by the adapter and by what departs from the paper."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from ..errors import InputError
from ..storage import atomic_path
from .bundle import ModelBundle
from .layout import INDEX_FILE, SETTINGS_FILE
from .parts import PARTS, Part


def save(
    bundle: ModelBundle,
    folder: str | os.PathLike,
    dtype: torch.dtype = torch.float16,
    max_shard_bytes: int | None = None,
) -> None:
    """Write the networks present in a bundle, with weights in ``dtype``, so that ``load`` reads them.

    Parts not in the bundle are left as they are. max_shard_bytes: weights above this size are split into
    shards with an index. Each file is replaced whole or not at all. Raises InputError when a weight does
    not fit ``dtype`` or is not finite.
    """
    root = Path(folder)
    root.mkdir(parents=True, exist_ok=True)
    settings = bundle.config.settings()
    for key, network in bundle.networks():
        header = {"settings": json.dumps(settings)} if key == "denoiser" else {}  # so that the file can go alone
        save_part(PARTS[key], network, root, dtype, max_shard_bytes, header)
    write_json(root / SETTINGS_FILE, settings)
    write_json(root / INDEX_FILE, {"_class_name": "ShapeGen4D", **_classes(bundle)})


def save_part(
    part: Part,
    network: nn.Module,
    root: Path,
    dtype: torch.dtype,
    max_shard_bytes: int | None = None,
    header: Mapping[str, str] | None = None,
) -> None:
    """Write one network and its configuration where :class:`Part` says, below the model folder ``root``.

    header: text to be kept in the header of the weights beside the configuration.
    """
    folder = root / part.folder if part.folder else root
    folder.mkdir(parents=True, exist_ok=True)
    values = network.config.to_dict()
    tensors = _stored(network, part.what, dtype)
    metadata = {"format": "pt", "config": json.dumps(values), **(header or {})}
    _write_weights(folder / part.weights_file, tensors, metadata, max_shard_bytes)
    write_json(folder / part.config_file, values)


def write_json(path: Path, values: Mapping[str, Any]) -> None:
    """Write a JSON object, replacing the file whole or not at all."""
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")


def _classes(bundle: ModelBundle) -> dict[str, list[str]]:
    """Sub-folder to module and class name, as published index files list them."""
    networks = [(PARTS[key].folder, network) for key, network in bundle.networks()]
    return {
        folder: [type(n).__module__.rpartition(".")[2], type(n).__name__] for folder, n in networks if folder
    }


def _stored(network: nn.Module, what: str, dtype: torch.dtype) -> dict[str, Tensor]:
    """Tensors as they go to disk; finite ones only, since a half float overflows to infinity in silence."""
    stored = {
        name: tensor.detach().to(device="cpu", dtype=dtype, copy=True).contiguous()
        for name, tensor in network.state_dict().items()
    }
    broken = [name for name, tensor in stored.items() if not torch.isfinite(tensor).all()]
    if broken:
        raise InputError(
            f"The {what} has values that are not finite in {dtype}: {', '.join(broken[:5])}; "
            "save in another dtype or check the training."
        )
    return stored


def _write_weights(path: Path, tensors: dict[str, Tensor], metadata: dict[str, str], limit: int | None) -> None:
    """One file, or shards and their index; files of the other form left from before are removed."""
    index = path.with_name(path.name + ".index.json")
    old = set(path.parent.glob(f"{path.stem}-*-of-*.safetensors")) | {path, index}
    shards = _shards(tensors, limit)
    names = [path]
    if len(shards) > 1:
        numbers = (f"{i + 1:05d}-of-{len(shards):05d}" for i in range(len(shards)))
        names = [path.with_name(f"{path.stem}-{number}.safetensors") for number in numbers]
    for name, shard in zip(names, shards):
        with atomic_path(name) as temporary:
            save_file(shard, temporary, metadata=metadata)
    if len(shards) > 1:
        weight_map = {key: name.name for name, shard in zip(names, shards) for key in shard}
        size = sum(tensor.nbytes for tensor in tensors.values())
        write_json(index, {"metadata": {"total_size": size}, "weight_map": weight_map})
        names.append(index)
    for stale in old - set(names):
        stale.unlink(missing_ok=True)


def _shards(tensors: dict[str, Tensor], limit: int | None) -> list[dict[str, Tensor]]:
    """Tensors in name order, in groups of at most ``limit`` bytes (a larger tensor is a group of its own)."""
    shards: list[dict[str, Tensor]] = [{}]
    size = 0
    for name in sorted(tensors):
        tensor = tensors[name]
        if limit is not None and shards[-1] and size + tensor.nbytes > limit:
            shards.append({})
            size = 0
        shards[-1][name] = tensor
        size += tensor.nbytes
    return shards
