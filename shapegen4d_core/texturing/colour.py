"""Colour values textures are averaged in: as stored (sRGB), or linear light."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor


def to_working(stored: Tensor, linear_light: bool) -> Tensor:
    """Stored colours 0..1 as the values to average: themselves, or linear light (IEC 61966-2-1)."""
    if not linear_light:
        return stored
    return torch.where(stored <= 0.04045, stored / 12.92, ((stored + 0.055) / 1.055) ** 2.4)


def to_stored(working: np.ndarray, linear_light: bool) -> np.ndarray:
    """The way back; values are clipped to 0..1."""
    working = working.clip(0, 1)
    if not linear_light:
        return working
    return np.where(working <= 0.0031308, working * 12.92, 1.055 * working ** (1 / 2.4) - 0.055)
