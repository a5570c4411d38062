"""Checks that dataclasses of settings share; ``what`` begins the sentence, such as "Pose setting views"."""

from __future__ import annotations

import math
from typing import Any

from .errors import InputError


def is_finite(value: Any) -> bool:
    """Whether ``value`` is a finite number (and not a truth value)."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def check_whole(what: str, value: Any, low: int, high: int | None = None, more: str = "") -> None:
    """Raise InputError unless ``value`` is a whole number from ``low`` (to ``high``); ``more`` ends the sentence."""
    fits = isinstance(value, int) and not isinstance(value, bool) and value >= low and (high is None or value <= high)
    if not fits:
        upper = "" if high is None else f" to {high}"
        raise InputError(f"{what} is {value!r}; accepted is a whole number from {low}{upper}{more}.")


def check_between(what: str, value: Any, low: float, high: float, unit: str = "") -> None:
    """Raise InputError unless ``value`` is a finite number from ``low`` to ``high``."""
    if not is_finite(value) or not low <= value <= high:
        raise InputError(f"{what} is {value!r}; accepted is {low:g} to {high:g}{unit}.")


def check_choice(what: str, value: Any, accepted: tuple[str, ...]) -> None:
    """Raise InputError unless ``value`` is one of ``accepted``."""
    if value not in accepted:
        raise InputError(f"{what} is {value!r}; accepted are {', '.join(accepted[:-1])} and {accepted[-1]}.")
