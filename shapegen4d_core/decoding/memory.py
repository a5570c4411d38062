"""Evaluating a field in chunks that fit in memory.

P points. A field is any callable that maps points float32 [P,3] to values [P], positive inside, in [-1,1].
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor

from ..errors import InputError
from ..memory import Halving, free_memory
from ..progress import Check

Field = Callable[[Tensor], Tensor]

SHARE = 0.25  # of the free memory; the rest is the grid, the weights and other programs
# Beyond these a larger chunk is not faster. A CPU runs out of cache: the bundled model's field took 7.1 us a
# point in chunks of 1024, 8.1 at 16384 and 11.7 at 262144 (one core). A GPU is full.
MOST_BYTES = {"cpu": 32 << 20, "other": 8 << 30}
BYTES_PER_POINT = 1 << 15  # assumed where the model does not tell its width
BYTES_PER_VERTEX = 12  # of the grid: values, their bookkeeping, and those of the next coarser grid
FUSED = ("cpu", "cuda")  # devices whose attention makes no matrix of weights
LEAST_POINTS, MOST_POINTS = 1024, 1 << 19


def choose_chunk(bytes_per_point: int, device: torch.device | str = "cpu") -> int:
    """Points per call so that a quarter of the free memory suffices, a power of two from 1024 to 524288."""
    device = torch.device(device)
    most = MOST_BYTES.get(device.type, MOST_BYTES["other"])
    points = int(min(free_memory(device) * SHARE, most)) // max(bytes_per_point, 1)
    return max(LEAST_POINTS, min(MOST_POINTS, 1 << max(points.bit_length() - 1, 0)))


class ChunkedField:
    """A field evaluated ``chunk`` points at a time, with its level moved to 0.

    Called with points float32 [P,3] it returns values float32 [P], ``level`` subtracted. ``check`` is called
    before each chunk and may raise to cancel. ``evaluations`` counts points. When memory runs out the chunk
    is halved once, with a warning; raises InputError when that does not help, and when values are not finite.
    No gradients are kept.
    """

    def __init__(self, field: Field, chunk: int, level: float = 0.0, check: Check | None = None):
        self.field, self.level, self.check = field, level, check
        self.evaluations = 0
        self._halving = Halving(chunk, "points per call", "set chunk well below that")

    @property
    def chunk(self) -> int:
        """Points per call."""
        return self._halving.amount

    def __call__(self, points: Tensor) -> Tensor:
        values = torch.empty(len(points), dtype=torch.float32, device=points.device)
        start = 0
        while start < len(points):
            if self.check is not None:
                self.check()
            answer = self._halving(partial(self._values, points[start:]))
            values[start : start + len(answer)] = answer
            start += len(answer)
        self.evaluations += len(points)
        return values

    def _values(self, points: Tensor, count: int) -> Tensor:
        """Values of the first ``count`` points less the level."""
        part = points[:count]
        with torch.no_grad():
            values = self.field(part)
        if values.shape != part.shape[:1]:
            raise InputError(f"The field gave {list(values.shape)} for {len(part)} points; it must give [P].")
        values = values.float()
        if not torch.isfinite(values).all():
            count = int((~torch.isfinite(values)).sum())
            raise InputError(
                f"The field is not finite at {count} of {len(values)} points; "
                "decode in float32, or check the weights and the latents."
            )
        return values - self.level


def bytes_per_point(config: Any, latent_count: int, itemsize: int = 4, device: torch.device | str = "cpu") -> int:
    """Memory of one query point in the field head of a model of this configuration, values of ``itemsize`` bytes.

    Three width-sized rows and the hidden layer twice, a fifth more for what is exact, and on devices without fused
    attention a row of weights per head.
    """
    try:
        values = 1.2 * (3 + 2 * config.query_mlp_ratio) * config.width
        plain = 0 if torch.device(device).type in FUSED else 2 * config.heads * latent_count
        return round(itemsize * (values + plain))
    except AttributeError:
        return BYTES_PER_POINT


def decoding_bytes(
    config: Any, latent_count: int, resolution: int, chunk: int, itemsize: int = 4, device: torch.device | str = "cpu"
) -> int:
    """Peak in bytes on the device while one frame is decoded, beside the weights.

    The transformer over the latents or, after it, its features, the grid and ``chunk`` points at once.
    """
    unit = latent_count * config.width * itemsize
    trunk = (4.5 + 2 * config.mlp_ratio) * unit
    field = 4 * unit + chunk * bytes_per_point(config, latent_count, itemsize, device)
    return max(round(trunk), field + BYTES_PER_VERTEX * (resolution + 1) ** 3)
