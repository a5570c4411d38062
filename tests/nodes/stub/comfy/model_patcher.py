"""Patcher that, like the host's, writes attributes on the module it is given."""

from __future__ import annotations

import torch


class CoreModelPatcher:
    """Wraps one module."""

    def __init__(self, model: torch.nn.Module, load_device: torch.device, offload_device: torch.device) -> None:
        model.device = offload_device
        model.model_loaded_weight_memory = 0
        self.model, self.load_device, self.offload_device = model, load_device, offload_device
