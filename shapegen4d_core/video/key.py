"""Cutting an object from a plain background by colour.

What is done, per frame: the background colour is the median of the border pixels; pixels within
``tolerance`` of it (largest channel difference, 0..1) are background if they are connected to the border or
form a patch larger than ``HOLE_SHARE`` of the picture, so that highlights and eyes of the background's
colour stay part of the object while the gap between two legs does not. The outermost ``EDGE`` pixels of the
object mix both colours: their alpha is how far they lie between the background and the nearby solid object,
and their colour is freed from the background's share, C = a F + (1 - a) B solved for F. Thin parts without
solid pixels nearby stay opaque.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from ..errors import InputError

PLAIN_SHARE = 0.7  # share of border pixels that must lie within the tolerance of the background colour
HOLE_SHARE = 0.0005  # enclosed patches of the background's colour above this share of the picture are holes
EDGE = 2  # pixels from the background inwards that may be mixed
REACH = 4  # pixels within which solid object is looked for
FAINT = 0.1  # below this alpha the solved colour is noise; the solid colour nearby is used


def key_matte(picture: np.ndarray, tolerance: float, label: str) -> tuple[np.ndarray, np.ndarray]:
    """Decontaminated colour [H,W,3] and alpha [H,W], float32 0..1, of ``picture`` [H,W,3] float32 0..1.

    Raises InputError naming ``label`` when the border of the picture is not plain.
    """
    colour = background_colour(picture, tolerance, label)
    background = _outside(_near(picture, colour, tolerance))
    alpha = (~background).astype(np.float32)
    box = ndimage.find_objects((~background).view(np.uint8))
    if not box:
        return picture, alpha
    region = tuple(slice(max(side.start - 1, 0), side.stop + 1) for side in box[0])
    picture = picture.copy()
    picture[region], alpha[region] = _clean_edges(picture[region], colour, background[region], tolerance)
    return picture, alpha


def background_colour(picture: np.ndarray, tolerance: float, label: str) -> np.ndarray:
    """Median border colour [3] of ``picture`` [H,W,3]; raises InputError when the border is not plain."""
    height, width = picture.shape[:2]
    depth = min(max(2, round(0.01 * min(height, width))), (min(height, width) + 1) // 2)
    sides = (picture[:depth], picture[-depth:], picture[:, :depth], picture[:, -depth:])
    border = np.concatenate([side.reshape(-1, 3) for side in sides])
    colour = np.median(border, axis=0)
    share = float(_near(border, colour, tolerance).mean())
    if share < PLAIN_SHARE:
        raise InputError(
            f"{label} has no transparency and no plain background ({share:.0%} of its border is one colour "
            f"within tolerance {tolerance:g}, {PLAIN_SHARE:.0%} is needed); give a mask, for example from a "
            "matting model of the host, or raise tolerance."
        )
    return colour


def _near(picture: np.ndarray, colour: np.ndarray, tolerance: float) -> np.ndarray:
    """Which pixels of [..., 3] differ from ``colour`` [3] by at most ``tolerance`` in every channel."""
    inside = np.ones(picture.shape[:-1], bool)
    for channel in range(3):  # much faster than a maximum over the last axis
        inside &= np.abs(picture[..., channel] - np.float32(colour[channel])) <= tolerance
    return inside


def _outside(near: np.ndarray) -> np.ndarray:
    """Of the pixels ``near`` the background colour, those in patches that reach the border or are large."""
    patches, count = ndimage.label(near)
    keep = np.bincount(patches.ravel(), minlength=count + 1) > HOLE_SHARE * near.size
    for side in (patches[0], patches[-1], patches[:, 0], patches[:, -1]):
        keep[side] = True
    keep[0] = False
    return keep[patches]


def _clean_edges(
    picture: np.ndarray, background_rgb: np.ndarray, background: np.ndarray, tolerance: float
) -> tuple[np.ndarray, np.ndarray]:
    """Alpha and decontaminated colour of the mixed pixels along the outline; the others pass through."""
    grown = ndimage.binary_dilation(background, np.ones((3, 3), bool), iterations=EDGE)
    solid = (~grown).astype(np.float32)
    alpha = (~background).astype(np.float32)
    weight = ndimage.uniform_filter(solid, 2 * REACH + 1, mode="constant")
    edge = grown & ~background & (weight > 1e-6)
    if not edge.any():
        return picture, alpha
    sums = [ndimage.uniform_filter(picture[..., c] * solid, 2 * REACH + 1, mode="constant") for c in range(3)]
    inside = np.stack([channel[edge] for channel in sums], axis=1) / weight[edge, None]
    direction, offset = inside - background_rgb, picture[edge] - background_rgb
    length = np.maximum((direction**2).sum(axis=1), 1e-12)
    mixed = np.clip((offset * direction).sum(axis=1) / length, 0.0, 1.0)
    mixed = np.where(np.sqrt(length) > tolerance, mixed, 1.0)
    solved = background_rgb + offset / np.maximum(mixed, FAINT)[:, None]
    picture = picture.copy()
    picture[edge] = np.clip(np.where(mixed[:, None] > FAINT, solved, inside), 0.0, 1.0)
    alpha[edge] = mixed
    return picture, alpha
