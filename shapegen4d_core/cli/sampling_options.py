"""The options of the sampler that ``generate`` and ``evaluate`` share."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

NAMES = ("steps", "guidance", "time_shift", "ensemble_size")


def add_sampling(add: Callable[..., Any]) -> None:
    """Add the options by ``add``, a parser's ``add_argument``; left out, each takes the model's own value."""
    add("--steps", type=int, help="denoising steps (default: the model's)")
    add("--guidance", type=float, help="how strongly the shape follows the video; 1 is none (default: the model's)")
    add("--ensemble-size", type=int, help="averages so many results, for models with slots (default: the model's)")
    add("--time-shift", type=float, help="moves steps towards high noise; 1 is none (default: the model's)")


def sampling_changes(chosen: argparse.Namespace) -> dict[str, int | float | None]:
    """What was chosen, as keywords of :func:`..pipeline.sampler_settings`."""
    return {name: getattr(chosen, name) for name in NAMES}
