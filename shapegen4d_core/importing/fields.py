"""Checked access to the JSON of a glTF file: every wrong type, count or range is one InputError naming the place.

``where`` names the entry in messages, such as "accessor 3".
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..errors import InputError

_MISSING = object()


def entry_of(entries: list[dict[str, Any]], name: str, index: Any, where: str) -> dict[str, Any]:
    """Entry ``index`` of the list called ``name`` (such as "accessors") that ``where`` refers to."""
    if isinstance(index, bool) or not isinstance(index, int) or not 0 <= index < len(entries):
        raise InputError(f"{where} refers to {name}[{index!r}], but the file has {len(entries)} of them")
    return entries[index]


def items(entry: dict[str, Any], key: str, where: str) -> list[dict[str, Any]]:
    """A list of objects; empty when absent."""
    values = entry.get(key, [])
    if not isinstance(values, list) or not all(isinstance(value, dict) for value in values):
        raise InputError(f"{key} of {where} is not a list of objects")
    return values


def part(entry: dict[str, Any], key: str, where: str) -> dict[str, Any]:
    """An object; empty when absent."""
    value = entry.get(key, {})
    if not isinstance(value, dict):
        raise InputError(f"{key} of {where} is {value!r:.60}, not an object")
    return value


def integer(entry: dict[str, Any], key: str, where: str, default: Any = _MISSING, most: int = 2**40) -> int:
    """A whole number 0..most."""
    value = entry.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= most:
        given = "missing" if value is _MISSING else f"{value!r:.60}"
        raise InputError(f"{key} of {where} is {given}, accepted is a whole number 0..{most}")
    return value


def indices(entry: dict[str, Any], key: str, where: str) -> list[int]:
    """A list of whole numbers of at least 0; empty when absent."""
    values = entry.get(key, [])
    whole = isinstance(values, list) and all(isinstance(value, int) and not isinstance(value, bool) for value in values)
    if not whole or any(value < 0 for value in values):
        raise InputError(f"{key} of {where} is not a list of indices")
    return values


def numbers(entry: dict[str, Any], key: str, where: str, default: list[float], count: int | None = None) -> np.ndarray:
    """Finite numbers, float64 [count] (any count when None); ``default`` when absent."""
    values = entry.get(key, default)
    if not isinstance(values, list) or (count is not None and len(values) != count):
        raise InputError(f"{key} of {where} is not a list of {'' if count is None else f'{count} '}numbers")
    for value in values:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not _finite(value):
            raise InputError(f"{key} of {where} has the value {value!r:.60}, accepted are finite numbers")
    return np.array(values, np.float64)


def flag(entry: dict[str, Any], key: str, where: str) -> bool:
    """A truth value; False when absent."""
    value = entry.get(key, False)
    if not isinstance(value, bool):
        raise InputError(f"{key} of {where} is {value!r:.60}, accepted is true or false")
    return value


def text(entry: dict[str, Any], key: str, where: str, default: Any = _MISSING) -> str:
    """A text."""
    value = entry.get(key, default)
    if not isinstance(value, str):
        raise InputError(f"{key} of {where} is {'missing' if value is _MISSING else f'{value!r:.60}, not a text'}")
    return value


def _finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number beyond the largest float
        return False
