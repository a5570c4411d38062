"""Blurring of small picture stacks, and masks shrunk by a few pixels."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import conv2d, max_pool2d


def blurred(pictures: Tensor, sigma: float) -> Tensor:
    """Pictures [...,h,w] smoothed by a Gaussian of ``sigma`` pixels; beyond the border lie zeros."""
    if sigma <= 0:
        return pictures
    radius = max(1, math.ceil(2.5 * sigma))
    steps = torch.arange(-radius, radius + 1, dtype=pictures.dtype, device=pictures.device)
    kernel = torch.exp(-(steps**2) / (2 * sigma**2))
    kernel = kernel / kernel.sum()
    flat = pictures.reshape(-1, 1, *pictures.shape[-2:])
    flat = conv2d(flat, kernel.view(1, 1, -1, 1), padding=(radius, 0))
    flat = conv2d(flat, kernel.view(1, 1, 1, -1), padding=(0, radius))
    return flat.view(pictures.shape)


def shrunk(masks: Tensor, pixels: int) -> Tensor:
    """Bool masks [...,h,w] without the ``pixels`` next to their border (the picture's border is none)."""
    if pixels < 1:
        return masks
    outside = (~masks).float().reshape(-1, 1, *masks.shape[-2:])
    grown = max_pool2d(outside, 2 * pixels + 1, stride=1, padding=pixels)
    return (grown < 0.5).view(masks.shape)
