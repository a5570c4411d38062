"""Evaluating a field in chunks that fit in memory.

P points. A field is any callable that maps points float32 [P,3] to values [P], positive inside, in [-1,1].
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable

import torch
from torch import Tensor

from ..errors import InputError
from ..progress import Check

Field = Callable[[Tensor], Tensor]

UNKNOWN_FREE_BYTES = 2 << 30  # assumed where the system does not say
SHARE = 0.25  # of the free memory; the rest is the grid, the weights and other programs
# Beyond these a larger chunk is not faster. A CPU runs out of cache: the bundled model's field took 7.1 us a
# point in chunks of 1024, 8.1 at 16384 and 11.7 at 262144 (one core). A GPU is full.
MOST_BYTES = {"cpu": 64 << 20, "other": 8 << 30}
LEAST_POINTS, MOST_POINTS = 1024, 1 << 19


def free_memory(device: torch.device | str = "cpu") -> int:
    """Free bytes on a device; an assumption of 2 GiB where the system does not tell."""
    device = torch.device(device)
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    try:
        with open("/proc/meminfo") as lines:
            available = [line for line in lines if line.startswith("MemAvailable:")]
        return int(available[0].split()[1]) * 1024
    except (OSError, IndexError):
        return _free_pages()


def _free_pages() -> int:
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):  # Windows has no sysconf, macOS not this name
        return UNKNOWN_FREE_BYTES


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
        self.field, self.chunk, self.level, self.check = field, chunk, level, check
        self.evaluations = 0
        self._halved = False

    def __call__(self, points: Tensor) -> Tensor:
        values = torch.empty(len(points), dtype=torch.float32, device=points.device)
        start = 0
        while start < len(points):
            if self.check is not None:
                self.check()
            part = points[start : start + self.chunk]
            answer = self._try(part)
            if answer is not None:
                values[start : start + len(part)] = answer
                start += len(part)
        self.evaluations += len(points)
        return values

    def _try(self, part: Tensor) -> Tensor | None:
        """Values [P] less the level, or None after memory ran out for the first time."""
        try:
            with torch.no_grad():
                values = self.field(part)
        except RuntimeError as error:
            if not _out_of_memory(error):
                raise
            self._halve(error)
            return None
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

    def _halve(self, error: RuntimeError) -> None:
        if self._halved or self.chunk == 1:
            raise InputError(
                f"Out of memory with {self.chunk} points per call; set chunk well below that."
            ) from error
        self._halved = True
        self.chunk //= 2
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        warnings.warn(f"Out of memory; going on with {self.chunk} points per call.", stacklevel=4)


def _out_of_memory(error: RuntimeError) -> bool:
    if isinstance(error, torch.OutOfMemoryError):
        return True
    return "out of memory" in str(error).lower() or "can't allocate memory" in str(error)
