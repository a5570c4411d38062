"""From colours of texels to the picture of a texture: padded beyond the borders of charts.

Every texel without surface takes the colour of the nearest one that has it (the mean colour where none is within 64
rows), so that neither filtering nor the smaller copies of a texture (mipmaps) mix in a colour from nowhere.
"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import distance_transform_edt

from ..progress import Check, look, tick
from .texels import Texels

_STRIP = 512  # rows of a page padded at once
_REACH = 64  # texels beyond a strip that are looked at; the gaps between charts are far narrower


def paint_page(
    texels: Texels, colour: np.ndarray, known: np.ndarray | None = None, check: Check | None = None
) -> np.ndarray:
    """A page [S,S,C] float32 with the colours [N,C] of texels, the rest taken from the nearest of ``known`` [N]."""
    size = texels.size
    page = np.zeros((size * size, colour.shape[1]), np.float32)
    filled = np.zeros(size * size, bool)
    shown = slice(None) if known is None else known
    page[texels.pixel[shown]] = colour[shown]
    filled[texels.pixel[shown]] = True
    page = page.reshape(size, size, -1)
    return _pad(page, filled.reshape(size, size), check)


def _pad(page: np.ndarray, filled: np.ndarray, check: Check | None) -> np.ndarray:
    """Fill the places of ``page`` that are not ``filled`` [S,S] from the nearest, strip by strip."""
    if filled.all() or not filled.any():
        return page
    padded = page.copy()
    look(check)
    average = page[filled].mean(axis=0, dtype=np.float64)
    for start in range(0, len(page), _STRIP):
        tick(None, check, start, len(page))
        first, stop = max(0, start - _REACH), min(len(page), start + _STRIP + _REACH)
        inner = slice(start - first, min(start + _STRIP, len(page)) - first)
        around = filled[first:stop]
        if not around.any():
            padded[start : start + _STRIP] = average
            continue
        rows, columns = distance_transform_edt(~around, return_distances=False, return_indices=True)
        padded[start : start + _STRIP] = page[first:stop][rows[inner], columns[inner]]
    look(check)
    return padded


def page_bytes(page: np.ndarray) -> np.ndarray:
    """A page [S,S,C] of values 0..1 as uint8, rounded."""
    return (page.clip(0, 1) * 255 + 0.5).astype(np.uint8)
