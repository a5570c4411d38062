"""Which rasteriser draws: torch's own, Warp's or pytorch3d's. All show the same face in a pixel.

"auto" takes Warp when it is installed and works on the device of the vertices, and torch otherwise. Warp draws
float32 on the CPU and on CUDA, rounding as torch does, so no pixel differs. pytorch3d has arithmetic of its own: a
pixel whose centre lies on an edge within rounding may show the neighbouring face, and one on an outline stays empty.
It is slow without a GPU, and only draws when it is asked for by name.
"""

from __future__ import annotations

import importlib
import logging
from collections.abc import Callable
from functools import lru_cache, partial
from importlib.util import find_spec

import torch
from torch import Tensor

from ..errors import InputError
from . import raster_torch
from .raster import Scene

BACKENDS = ("auto", "torch", "warp", "pytorch3d")
_INSTALL = {
    "warp": "install it with: pip install warp-lang",
    "pytorch3d": "it has to be built, see https://github.com/facebookresearch/pytorch3d/blob/main/INSTALL.md",
}

Draw = Callable[[Scene], Tensor]


def drawer(backend: str, vertices: Tensor, samples_at_once: int | None = None) -> Draw:
    """The function that draws ``vertices``: a scene to the entry [B*H*W] that each pixel shows.

    ``samples_at_once`` concerns torch alone. Raises InputError for a name that is not in ``BACKENDS`` and for a
    backend that is asked for and cannot draw these vertices.
    """
    if backend not in BACKENDS:
        raise InputError(f"backend is {backend!r}, accepted are {', '.join(BACKENDS)}.")
    if backend == "auto":
        backend = "warp" if _warp_serves(vertices) else "torch"
    if backend == "torch":
        return partial(raster_torch.draw, samples_at_once=samples_at_once)
    if find_spec(backend) is None:
        raise InputError(f"backend is {backend!r}, which is not installed; {_INSTALL[backend]}.")
    if backend == "warp":
        reason = _dtype_unfit(vertices.dtype) or warp_unfit(str(vertices.device))
        if reason:
            raise InputError(f"backend is 'warp', but {reason}; choose 'auto' or 'torch'.")
    return importlib.import_module(f".raster_{backend}", __package__).draw


def _warp_serves(vertices: Tensor) -> bool:
    """Whether "auto" is Warp here. A Warp that is installed and does not work is mentioned once, in the log."""
    if find_spec("warp") is None or _dtype_unfit(vertices.dtype):
        return False
    return warp_unfit(str(vertices.device)) is None


def _dtype_unfit(dtype: torch.dtype) -> str | None:
    return None if dtype == torch.float32 else f"it draws float32 and the vertices are {dtype}"


@lru_cache
def warp_unfit(device: str) -> str | None:
    """Why an installed Warp cannot draw on a torch device, None if it can; found out and logged once per device."""
    try:
        reason = importlib.import_module(".raster_warp", __package__).prepare(torch.device(device))
    except (ImportError, OSError, RuntimeError) as error:
        reason = f"it failed to start on {device} ({' '.join(str(error).split())[:200]})"
    if reason:
        logging.getLogger(__name__).warning("Warp is installed, but %s; torch draws, more slowly.", reason)
    return reason
