"""Everything a run needs to go on exactly where it stopped, in one safetensors file."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from ..errors import InputError
from ..storage import atomic_path
from .average import Average
from .optim import Optimizer
from .workers import Workers, like, trainable, whole

STATE, AVERAGE = "state.safetensors", "average.safetensors"


def _gathered(values: dict[str, Tensor], workers: Workers) -> dict[str, Tensor]:
    """Whole copies on the CPU of the main process; {} on the others, which only take part."""
    found = {}
    for name, value in values.items():
        complete = whole(value.detach())
        if workers.main:
            found[name] = complete.to("cpu", copy=True).contiguous()
    return found


def save_average(folder: Path, module: nn.Module, average: Average, workers: Workers) -> None:
    """Write the averaged weights, and whatever is not trained, as ``average.safetensors``."""
    held = {name: average.values.get(name, own) for name, own in module.state_dict().items()}
    values = _gathered(held, workers)
    if workers.main:
        with atomic_path(folder / AVERAGE) as temporary:
            save_file(values, temporary)


def save_state(
    folder: Path, module: nn.Module, average: Average, optimizer: Optimizer, progress: dict, workers: Workers
) -> None:
    """Write weights, averaged weights, optimiser state and ``progress`` (JSON-able), whole or not at all."""
    arrays = {f"weights.{name}": p for name, p in trainable(module).items()}
    arrays |= {f"average.{name}": value for name, value in average.values.items()}
    arrays |= {f"optimizer.{name}": value for name, value in optimizer.state(trainable(module)).items()}
    gathered = _gathered(arrays, workers)
    if workers.main:
        header = {"progress": json.dumps({**progress, "average_count": average.count})}
        with atomic_path(folder / STATE) as temporary:
            save_file(gathered, temporary, metadata=header)
    save_average(folder, module, average, workers)


def load_state(folder: Path, module: nn.Module, average: Average, optimizer: Optimizer) -> dict:
    """Restore what :func:`save_state` wrote and return its ``progress``; {} when the folder holds no state.

    Raises InputError when the file belongs to a module with other parameters.
    """
    path = folder / STATE
    if not path.exists():
        return {}
    parameters = trainable(module)
    with safe_open(str(path), "pt") as file:
        kinds = {kind: _names(file.keys(), kind) for kind in ("weights", "average", "optimizer")}
        if kinds["weights"] != set(parameters):
            raise InputError(f"{path} belongs to another network; give an empty --folder to start anew.")

        def read(kind: str, name: str, pattern: Tensor) -> Tensor:
            return like(file.get_tensor(f"{kind}.{name}"), pattern)

        with torch.no_grad():
            for name, p in parameters.items():
                p.copy_(read("weights", name, p))
                average.values[name].copy_(read("average", name, p))
        stored = {name: file.get_tensor(f"optimizer.{name}") for name in sorted(kinds["optimizer"])}
        optimizer.restore(parameters, stored)
        progress = json.loads(file.metadata()["progress"])
    average.count = progress["average_count"]
    return progress


def _names(keys: list[str], kind: str) -> set[str]:
    return {key[len(kind) + 1 :] for key in keys if key.startswith(kind + ".")}
