"""The training loop all stages share: any loss module, any batches, a budget in seconds or steps, CSV and checkpoints.

Run on one process, or on several with ``torchrun --nproc-per-node N``: gradients are averaged by torch's
DistributedDataParallel (gloo on the CPU, nccl on CUDA).
"""

from __future__ import annotations

import csv
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.distributed as dist
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from ..storage import atomic_path
from .optim import Average, Optimizer, schedule

Batch = dict[str, Tensor]


@dataclass(frozen=True)
class TrainSettings:
    """Budget and optimisation of one stage; whichever of ``seconds`` and ``steps`` ends first ends the run."""

    seconds: float = 1800.0
    steps: int = 1_000_000
    rate: float = 1.5e-3
    decay: float = 0.998
    report_every: int = 50
    evaluate_every: int = 500
    save_seconds: float = 120.0
    seed: int = 0


@contextmanager
def process_group() -> Iterator[tuple[int, int]]:
    """Rank and number of processes; joins the group that torchrun announces, if any."""
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count == 1:
        yield 0, 1
        return
    dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
    try:
        yield dist.get_rank(), count
    finally:
        dist.destroy_process_group()


def save_weights(path: Path, module: nn.Module, metadata: dict[str, str]) -> None:
    """Write a module's parameters to one safetensors file, whole or not at all."""
    with atomic_path(path) as temporary:
        save_file({k: v.contiguous() for k, v in module.state_dict().items()}, temporary, metadata=metadata)


def _agree(value: float, count: int) -> float:
    """Rank 0's value on every rank, so that all processes stop at the same step."""
    if count == 1:
        return value
    shared = torch.tensor([value], dtype=torch.float64)
    dist.broadcast(shared, 0)
    return float(shared)


def train(
    loss: nn.Module,
    batches: Iterator[Batch],
    folder: Path,
    settings: TrainSettings,
    rank: int = 0,
    count: int = 1,
    evaluate: Callable[[nn.Module], dict[str, float]] | None = None,
) -> nn.Module:
    """Minimise ``loss(**batch) -> (scalar, metrics)`` and return the averaged module.

    ``folder`` receives ``log.csv``, ``weights.safetensors`` and ``average.safetensors``; when these exist the run
    continues from them at the recorded share of its budget.
    """
    folder.mkdir(parents=True, exist_ok=True)
    done = _resume(loss, folder)
    average = Average(loss, settings.decay)
    if done:
        average.module.load_state_dict(load_file(folder / "average.safetensors"))
        average.count = 1000
    wrapped = DistributedDataParallel(loss) if count > 1 else loss
    optimizer = Optimizer(loss, settings.rate)
    began, saved, sums = time.monotonic() - done * settings.seconds, time.monotonic(), {}
    start = int(done * settings.steps) if settings.steps < 1_000_000 else 0
    for step in range(start, settings.steps):
        share = max((time.monotonic() - began) / settings.seconds, step / settings.steps)
        share = _agree(share, count) if step % 5 == 0 or count == 1 else share
        if step % 5 == 0 and share >= 1.0:
            break
        value, metrics = wrapped(**next(batches))
        value.backward()
        metrics["norm"] = optimizer.step(schedule(min(share, 1.0)))
        average.update(loss)
        for key, number in {"loss": float(value.detach()), **metrics}.items():
            sums[key] = sums.get(key, 0.0) + float(number)
        if rank == 0 and (step + 1) % settings.report_every == 0:
            row = {key: round(number / settings.report_every, 5) for key, number in sums.items()}
            sums = {}
            if evaluate and (step + 1) % settings.evaluate_every == 0:
                row |= {f"val_{key}": round(number, 5) for key, number in evaluate(average.module).items()}
            _report(folder, {"step": step + 1, "seconds": round(time.monotonic() - began, 1), **row})
        if rank == 0 and time.monotonic() - saved > settings.save_seconds:
            _checkpoint(folder, loss, average, share)
            saved = time.monotonic()
    if rank == 0:
        _checkpoint(folder, loss, average, 1.0)
        if evaluate:
            _report(folder, {"step": -1, **{f"val_{k}": round(v, 5) for k, v in evaluate(average.module).items()}})
    return average.module


def _resume(loss: nn.Module, folder: Path) -> float:
    if not (folder / "weights.safetensors").exists():
        return 0.0
    loss.load_state_dict(load_file(folder / "weights.safetensors"))
    return float((folder / "share.txt").read_text())


def _checkpoint(folder: Path, loss: nn.Module, average: Average, share: float) -> None:
    save_weights(folder / "average.safetensors", average.module, {})
    save_weights(folder / "weights.safetensors", loss, {})
    (folder / "share.txt").write_text(f"{share:.6f}")


def _report(folder: Path, row: dict[str, float]) -> None:
    with open(folder / "log.csv", "a", newline="") as file:
        csv.writer(file).writerow([f"{key}={value}" for key, value in row.items()])
