"""How much memory is free, and a second try with half the work when it runs out."""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TypeVar

import torch

from .errors import InputError

Result = TypeVar("Result")

GIB = 1 << 30
CARDS = ("cuda", "xpu")  # devices with a memory of their own; what torch holds and does not use counts as free
UNKNOWN_FREE_BYTES = 2 << 30  # assumed where the system does not say
CONTAINERS = Path("/sys/fs/cgroup")
CONTAINER_FILES = (  # limit, what is used of it, where cached files are told and by which name: version 2, version 1
    ("memory.max", "memory.current", "memory.stat", "inactive_file"),
    ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes", "memory/memory.stat", "total_inactive_file"),
)


def free_memory(device: torch.device | str = "cpu") -> int:
    """Free bytes on a device; an assumption of 2 GiB where the system does not tell."""
    known = known_free_memory(device)
    return UNKNOWN_FREE_BYTES if known is None else known


def known_free_memory(device: torch.device | str = "cpu") -> int | None:
    """Free bytes on a device, None where the system does not tell; the main memory's for CPUs and what shares it."""
    device = torch.device(device)
    if device.type in CARDS:
        card = getattr(torch, device.type)
        try:
            free = int(card.mem_get_info(device)[0])
        except RuntimeError:  # some drivers of Intel's cards do not tell
            return None
        return free + card.memory_reserved(device) - card.memory_allocated(device)
    try:
        with open("/proc/meminfo") as lines:
            available = [line for line in lines if line.startswith("MemAvailable:")]
        return int(min(int(available[0].split()[1]) * 1024, _left_in_container()))
    except (OSError, IndexError):
        return _told_otherwise()


def _left_in_container() -> float:
    """Bytes that the limit of a container leaves, infinity without one; cached files count as free."""
    for limit, used, stat, key in CONTAINER_FILES:
        try:
            most, now = (int((CONTAINERS / name).read_text()) for name in (limit, used))
            lines = dict(line.split() for line in (CONTAINERS / stat).read_text().splitlines())
            return max(0, most - now + int(lines.get(key, 0)))
        except (OSError, ValueError):  # no such file, or "max" where there is no limit
            continue
    return math.inf


def _told_otherwise() -> int | None:
    """Where there is no /proc: psutil knows on Windows and macOS; it is no requirement, but ComfyUI brings it."""
    try:
        return int(import_module("psutil").virtual_memory().available)
    except ImportError:
        pass
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):  # Windows has no sysconf, macOS not this name
        return None


def require(size: float, what: str, advice: str, device: torch.device | str = "cpu") -> None:
    """Refuse work that needs ``size`` bytes when they are not free: systems kill programs that ask for too much.

    Nothing is refused where the system does not tell what is free. Raises InputError: ``what`` takes so much, so much
    is free, ``advice`` (begins with a verb).
    """
    free = known_free_memory(device)
    if free is not None and size > free:
        raise InputError(
            f"{what} takes {size / GIB:.1f} GiB of memory and {free / GIB:.1f} GiB are free; {advice}."
        )


def out_of_memory(error: BaseException) -> bool:
    """Whether an error of torch means that memory ran out, on any device."""
    if isinstance(error, torch.cuda.OutOfMemoryError):  # the name it has in every version
        return True
    return isinstance(error, RuntimeError) and (
        "out of memory" in str(error).lower() or "can't allocate memory" in str(error)
    )


class Halving:
    """An amount of work per call that is halved once, with a warning, when memory runs out.

    amount: how much is done at once; unit: what it counts, as people read it; setting: the advice when half does not
    suffice either, beginning with a verb.
    """

    def __init__(self, amount: int, unit: str, setting: str) -> None:
        self.amount, self.unit, self.setting = amount, unit, setting
        self._halved = False

    def __call__(self, work: Callable[[int], Result]) -> Result:
        """``work(amount)``, done once more with half the amount; raises InputError when that is too much as well."""
        try:
            return work(self.amount)
        except RuntimeError as error:
            if not out_of_memory(error):
                raise
            self.halve(error)
        return self(work)

    def halve(self, error: BaseException) -> None:
        """Go on with half; raises InputError, from ``error``, the second time and when there is no half."""
        if self._halved or self.amount <= 1:
            raise InputError(f"Out of memory with {self.amount} {self.unit}; {self.setting}.") from error
        self._halved = True
        self.amount //= 2
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        warnings.warn(f"Out of memory; going on with {self.amount} {self.unit}.", stacklevel=3)
