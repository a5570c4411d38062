"""Layers that cast their weights to the type of their input.

Like the host's, Linear and Embedding build no weights before a file is read, unless their loader is overridden.
"""

from __future__ import annotations

import torch.nn.functional as functional
from torch import Tensor, nn


def _cast(layer: nn.Module, x: Tensor) -> list[Tensor | None]:
    tensors = (layer.weight, getattr(layer, "bias", None))
    return [None if tensor is None else tensor.to(x.device, x.dtype) for tensor in tensors]


class _Postponed:
    def _load_from_state_dict(self, *arguments) -> None:
        raise AssertionError("the stub has no loader for postponed weights")


class manual_cast:  # noqa: N801 (the host's name)
    """Namespace of layers."""

    class Linear(_Postponed, nn.Linear):
        """Linear layer."""

        comfy_cast_weights = True

        def __init__(self, *sizes, **options) -> None:
            if type(self)._load_from_state_dict is not _Postponed._load_from_state_dict:
                nn.Linear.__init__(self, *sizes, **options)
                return
            nn.Module.__init__(self)
            self.weight = self.bias = None

        def forward(self, x: Tensor) -> Tensor:
            return functional.linear(x, *_cast(self, x))

    class Embedding(_Postponed, nn.Embedding):
        """Table of vectors."""

        comfy_cast_weights = True

        def __init__(self, *sizes, **options) -> None:
            if type(self)._load_from_state_dict is not _Postponed._load_from_state_dict:
                nn.Embedding.__init__(self, *sizes, **options)
                return
            nn.Module.__init__(self)
            self.weight = None

    class Conv2d(nn.Conv2d):
        """Convolution."""

        comfy_cast_weights = True

        def forward(self, x: Tensor) -> Tensor:
            weight, bias = _cast(self, x)
            return self._conv_forward(x, weight, bias)

    class LayerNorm(nn.LayerNorm):
        """Layer norm."""

        comfy_cast_weights = True

        def forward(self, x: Tensor) -> Tensor:
            return functional.layer_norm(x, self.normalized_shape, *_cast(self, x), self.eps)

    class RMSNorm(nn.RMSNorm):
        """Root mean square norm."""

        comfy_cast_weights = True

        def forward(self, x: Tensor) -> Tensor:
            return functional.rms_norm(x, self.normalized_shape, _cast(self, x)[0], self.eps)


