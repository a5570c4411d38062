"""Exponential moving average of trained weights."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from .workers import trainable


class Average:
    """Averaged copies of a module's trained parameters, split over processes as the parameters are."""

    def __init__(self, module: nn.Module, decay: float) -> None:
        self.decay, self.count = decay, 0
        self.values: dict[str, Tensor] = {name: p.detach().clone() for name, p in trainable(module).items()}

    @torch.no_grad()
    def update(self, module: nn.Module) -> None:
        """Blend the current parameters in; early updates weigh more so that the start is forgotten."""
        self.count += 1
        decay = min(self.decay, (1 + self.count) / (10 + self.count))
        parameters = trainable(module)
        current = [parameters[name].detach() for name in self.values]
        torch._foreach_lerp_(list(self.values.values()), current, 1.0 - decay)

    @contextmanager
    def applied(self, module: nn.Module) -> Iterator[nn.Module]:
        """``module`` in inference mode with the averaged weights; its own come back afterwards."""
        parameters, training = trainable(module), module.training
        own = {name: p.detach().clone() for name, p in parameters.items()}
        try:
            self.write(module)
            yield module.eval()
        finally:
            module.train(training)
            with torch.no_grad():
                for name, value in own.items():
                    parameters[name].copy_(value)

    @torch.no_grad()
    def write(self, module: nn.Module) -> None:
        """Copy the averaged weights into ``module``."""
        for name, p in trainable(module).items():
            p.copy_(self.values[name])
