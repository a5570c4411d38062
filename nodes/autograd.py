"""Optimisation inside a node: the host runs nodes in inference mode, whose tensors refuse gradients."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def gradients(*values: Any) -> Iterator[tuple[Any, ...]]:
    """Leave inference mode, enable gradients, and give copies of ``values`` (tensors, or anything else as it is).

    Inference tensors stay so after the mode is left, which is why every tensor has to be copied.
    """
    import torch

    with torch.inference_mode(False), torch.enable_grad():
        yield tuple(value.detach().clone() if isinstance(value, torch.Tensor) else value for value in values)
