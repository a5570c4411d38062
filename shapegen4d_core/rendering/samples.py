"""Several samples per pixel: the finer camera they are drawn with, and their mean."""

from __future__ import annotations

import torch
from torch import Tensor

from ..errors import InputError


def finer(intrinsics: Tensor, size: tuple[int, int], factor: int) -> tuple[Tensor, tuple[int, int]]:
    """K [...,3,3] and (H, W) of a picture with ``factor`` x ``factor`` samples per pixel; raises InputError."""
    if factor < 1:
        raise InputError(f"supersampling is {factor}, accepted is a whole number from 1.")
    scale = intrinsics.new_tensor([factor, factor, 1.0])
    return intrinsics * scale[:, None], (size[0] * factor, size[1] * factor)


def average(samples: Tensor, factor: int) -> Tensor:
    """Mean of ``factor`` x ``factor`` samples [fH,fW,4], straight alpha, colour weighted by alpha: [H,W,4].

    Colour is 0 where alpha is 0.
    """
    height, width = samples.shape[0] // factor, samples.shape[1] // factor
    weighted = torch.cat([samples[..., :3] * samples[..., 3:], samples[..., 3:]], dim=-1)
    sums = weighted.view(height, factor, width, factor, 4).sum(dim=(1, 3))
    alpha = sums[..., 3:]
    colour = torch.where(alpha > 0, sums[..., :3] / alpha, 0)
    return torch.cat([colour, alpha / factor**2], dim=-1)
