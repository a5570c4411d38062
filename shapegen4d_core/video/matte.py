"""Where alpha comes from: the frames themselves, a given mask, or a plain background."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import repeat

import numpy as np
import torch
from torch import Tensor

from ..errors import InputError
from .key import key_matte
from .notices import ClipWarning, warn
from .reader import open_source
from .source import Source, TensorSource

MODES = ("auto", "alpha", "mask", "key")
Mask = str | os.PathLike | Tensor | np.ndarray


@dataclass(frozen=True)
class Matte:
    """How to cut the object out: ``mode`` alpha, mask or key; ``mask`` frames (1 = object); ``tolerance``."""

    mode: str
    mask: Source | None = None
    tolerance: float = 0.08

    def frames(self, source: Source, indices: Sequence[int]) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
        """Yield (number, colour [H,W,3] uint8 or float32, alpha [H,W] float32) for increasing ``indices``."""
        if self.mode == "mask":
            yield from self._masked(source, indices)
            return
        for index, picture in source.pictures(indices):
            if self.mode == "key":
                label = f"Frame {index} of {source.label}"
                yield index, *key_matte(unit(picture[..., :3]), self.tolerance, label)
            else:
                yield index, picture[..., :3], _alpha(picture)

    def _masked(self, source: Source, indices: Sequence[int]) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
        mask = self.mask
        masks = repeat(next(mask.pictures([0]))) if len(mask.times) == 1 else mask.pictures(indices)
        for (index, picture), (_, values) in zip(source.pictures(indices), masks):
            alpha = alpha_of_mask(values)
            if alpha.shape != picture.shape[:2]:
                raise InputError(
                    f"The mask of frame {index} is {alpha.shape[1]} x {alpha.shape[0]} pixels, but the frame "
                    f"is {picture.shape[1]} x {picture.shape[0]}; give masks of the size of the frames."
                )
            yield index, picture[..., :3], alpha


def choose_matte(
    source: Source, indices: Sequence[int], matte: str, mask: Mask | None, tolerance: float, limit: int | None
) -> Matte:
    """Settle where alpha comes from; ``auto`` takes alpha that is not opaque, else the mask, else the key.

    Decodes only as many frames as it takes to find a transparent pixel, and none without an alpha channel.
    Raises InputError when the chosen way lacks its input.
    """
    if matte not in MODES:
        raise InputError(f"matte is {matte!r}, accepted are {', '.join(MODES)}.")
    if not 0 < tolerance < 1:
        raise InputError(f"tolerance is {tolerance}, accepted is above 0 and below 1.")
    if mask is not None and matte in ("alpha", "key"):
        raise InputError(f"A mask was given, but matte is {matte!r}; set matte to 'mask' or leave it out.")
    if matte == "mask" and mask is None:
        raise InputError("matte is 'mask', but no mask was given; give one (1 = object) or another matte.")
    if matte in ("auto", "alpha"):
        if _transparent(source, indices):
            if mask is not None:
                hint = "set matte to 'mask' if it should be"
                warn(f"{source.label} has its own alpha, so the mask is not used; {hint}.", ClipWarning)
            return Matte("alpha")
        if matte == "alpha":
            raise InputError(
                f"{source.label} has no transparent pixel in these frames, but matte is 'alpha'; "
                "set matte to 'key', or give a mask."
            )
    if mask is not None:
        return Matte("mask", open_mask(mask, source, limit))
    return Matte("key", tolerance=tolerance)


def open_mask(mask: Mask, source: Source, limit: int | None) -> Source:
    """A mask file, folder or tensor ([T,H,W], [T,H,W,1] or [H,W]; 1 = object) as a source of its own.

    Raises InputError unless there is one mask per frame of the source (up to frame ``limit`` where that is
    given, since nothing beyond it is looked at), or a single one for all.
    """
    if isinstance(mask, (str, os.PathLike)):
        opened = open_source(mask, limit)
    else:
        tensor = torch.as_tensor(mask)
        tensor = tensor[None] if tensor.dim() == 2 else tensor
        tensor = tensor[..., None] if tensor.dim() == 3 else tensor
        if tensor.dim() != 4 or tensor.shape[-1] != 1 or tensor.numel() == 0:
            shape = list(torch.as_tensor(mask).shape)
            raise InputError(f"mask has shape {shape}, accepted are [T,H,W], [T,H,W,1] and [H,W].")
        opened = TensorSource(tensor, 1.0, "the mask")
    count = len(opened.times) if limit is None else min(len(opened.times), limit + 1)
    if count not in (1, len(source.times)):
        raise InputError(
            f"mask has {count} frames, but {source.label} has {len(source.times)}; "
            "give one mask per frame, or a single one for all."
        )
    return opened


def unit(picture: np.ndarray) -> np.ndarray:
    """Values as float32 0..1, whether they come as uint8 or float."""
    return picture.astype(np.float32) / 255 if picture.dtype == np.uint8 else picture.astype(np.float32)


def alpha_of_mask(picture: np.ndarray) -> np.ndarray:
    """Mask values [H,W] float32 of a mask picture [H,W,1|3|4]: brightness, times alpha if it has one."""
    values = unit(picture)
    brightness = values[..., :3].mean(axis=2)
    return brightness * values[..., 3] if values.shape[2] == 4 else brightness


def _alpha(picture: np.ndarray) -> np.ndarray:
    if picture.shape[2] == 4:
        return unit(picture[..., 3])
    return np.ones(picture.shape[:2], np.float32)


def _transparent(source: Source, indices: Sequence[int]) -> bool:
    if not source.has_alpha(indices):
        return False
    return any(float(_alpha(picture).min()) < 1 for _, picture in source.pictures(indices))
