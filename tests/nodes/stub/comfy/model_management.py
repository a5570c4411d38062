"""Memory manager that only remembers what it was asked to bring."""

from __future__ import annotations

from typing import Any

import torch


class InterruptProcessingException(BaseException):
    """The stop button."""


BROUGHT: list[tuple[list[Any], int]] = []
STOP_AFTER: list[int] = []  # polls left until the stop button counts as pressed


def get_torch_device() -> torch.device:
    """Where models compute."""
    return torch.device("cpu")


def unet_offload_device() -> torch.device:
    """Where models rest."""
    return torch.device("cpu")


def unet_dtype(model_params: int = 0, supported_dtypes: Any = ()) -> torch.dtype:
    """The host's choice for a large model."""
    return supported_dtypes[0]


def load_models_gpu(models: list[Any], memory_required: int = 0) -> None:
    """Note which patchers are wanted together."""
    assert all(type(model).__name__ == "CoreModelPatcher" for model in models)
    BROUGHT.append((models, memory_required))


def is_oom(error: Exception) -> bool:
    """Whether an error means that memory ran out."""
    return isinstance(error, torch.OutOfMemoryError)


def throw_exception_if_processing_interrupted() -> None:
    """Poll the stop button."""
    if STOP_AFTER:
        STOP_AFTER[0] -= 1
        if STOP_AFTER[0] < 0:
            STOP_AFTER.clear()
            raise InterruptProcessingException
