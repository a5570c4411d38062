"""One process or many, on CPU or GPU: devices, gradient exchange, sharded weights and arithmetic.

``torchrun`` and ``accelerate launch`` both work: accelerate reads the launcher's environment, joins the process
group (gloo on the CPU, nccl on CUDA) and picks each process's device. Gradients are averaged by torch's
DistributedDataParallel; ``fully_shard`` (FSDP2) splits weights, gradients and optimiser state as well. accelerate's
own FSDP wrapper refuses CPU processes, so torch's is used directly.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, autocast, nn
from torch.distributed.fsdp import FSDPModule, fully_shard
from torch.distributed.tensor import DTensor
from torch.nn.parallel import DistributedDataParallel

from ..optional_packages import needed
from .settings import TrainSettings


class Workers:
    """The processes of one run: ``rank`` of ``count``, each on its ``device``."""

    def __init__(self, rank: int = 0, count: int = 1, device: torch.device | str = "cpu") -> None:
        self.rank, self.count, self.device = rank, count, torch.device(device)

    @property
    def main(self) -> bool:
        """Whether this process writes the files."""
        return self.rank == 0

    def agree(self, value: float) -> float:
        """The main process's value on every process."""
        if self.count == 1:
            return value
        shared = torch.tensor([value], dtype=torch.float64, device=self.device)
        dist.broadcast(shared, 0)
        return float(shared)

    def wait(self) -> None:
        """Return when every process has come here."""
        if self.count > 1:
            dist.barrier()

    def wrap(self, loss: nn.Module, settings: TrainSettings, blocks: tuple[type, ...] = ()) -> nn.Module:
        """The module to call in training; ``loss`` is moved to the device and, with fsdp, split in place.

        ``blocks`` are the module types that fsdp gathers one at a time.
        """
        loss.to(self.device)
        if self.count == 1:
            return torch.compile(loss) if settings.compile else loss
        if settings.parallel == "fsdp":
            mesh = dist.device_mesh.init_device_mesh(self.device.type, (self.count,))
            for module in loss.modules():
                if isinstance(module, blocks):
                    fully_shard(module, mesh=mesh)
            fully_shard(loss, mesh=mesh)
            return loss
        devices = [self.device] if self.device.type == "cuda" else None
        return DistributedDataParallel(torch.compile(loss) if settings.compile else loss, device_ids=devices)

    @contextmanager
    def gathered(self, module: nn.Module) -> Iterator[nn.Module]:
        """``module`` with all its weights whole, for calls of its parts past its own forward."""
        split = [part for part in module.modules() if isinstance(part, FSDPModule)]
        for part in split:
            part.unshard()
        try:
            yield module
        finally:
            for part in split:
                part.reshard()

    def accumulating(self, wrapped: nn.Module, last: bool) -> AbstractContextManager:
        """Exchange gradients in this micro-batch only if it is the ``last`` of its step."""
        if isinstance(wrapped, DistributedDataParallel) and not last:
            return wrapped.no_sync()
        if self.count > 1 and hasattr(wrapped, "set_requires_gradient_sync"):
            wrapped.set_requires_gradient_sync(last)
        return nullcontext()

    def arithmetic(self, precision: str) -> AbstractContextManager:
        """Autocast to bfloat16 when ``precision`` is ``bf16``; weights and optimiser stay float32."""
        return autocast(self.device.type, dtype=torch.bfloat16, enabled=precision == "bf16")


@contextmanager
def join(device: str | None = None) -> Iterator[Workers]:
    """The processes the launcher started, or this one alone; leaves the group at the end.

    ``device`` "cpu" keeps to the CPU where there is a GPU. Raises InputError when accelerate is missing.
    """
    with needed("Training needs", "accelerate"):
        from accelerate import PartialState
    state = PartialState(cpu=device == "cpu" or not torch.accelerator.is_available())
    chosen = state.device if device in (None, "cpu") else torch.device(device)
    try:
        yield Workers(state.process_index, state.num_processes, chosen)
    finally:
        if dist.is_initialized():
            state.destroy_process_group()
        PartialState._shared_state.clear()


def whole(value: Tensor) -> Tensor:
    """A tensor as it would be on one process (a collective call when it is split)."""
    return value.full_tensor() if isinstance(value, DTensor) else value


def like(value: Tensor, pattern: Tensor) -> Tensor:
    """``value`` on the device of ``pattern``, split over processes in the same way."""
    value = value.to(pattern.device)
    if isinstance(pattern, DTensor):
        from torch.distributed.tensor import distribute_tensor

        return distribute_tensor(value, pattern.device_mesh, pattern.placements)
    return value


def trainable(module: nn.Module) -> dict[str, nn.Parameter]:
    """Parameters that are trained, by name."""
    return {name: p for name, p in module.named_parameters() if p.requires_grad}


def recompute(modules: Iterable[nn.Module], blocks: tuple[type, ...]) -> None:
    """Let every block keep only its inputs and run again in the backward pass (activation checkpointing)."""
    from torch.utils.checkpoint import checkpoint

    def light(forward: Any) -> Any:
        again = partial(checkpoint, forward, use_reentrant=False, preserve_rng_state=False)  # nothing here is random
        return lambda *args, **kwargs: again(*args, **kwargs)

    for network in modules:
        for module in network.modules():
            if isinstance(module, blocks):
                module.forward = light(module.forward)
