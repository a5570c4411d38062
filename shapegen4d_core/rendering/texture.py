"""Textures on a device, and reading them at uv coordinates. The origin of uv is bottom left, row 0 is the top."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ..errors import InputError


def texture_on(texture: Tensor | np.ndarray, device: torch.device | str) -> Tensor:
    """A texture [h,w,3|4], uint8 or float 0..1, as float32 [h,w,4] on ``device``; raises InputError."""
    texture = torch.as_tensor(texture, device=device)
    if texture.dim() != 3 or texture.shape[2] not in (3, 4) or texture.numel() == 0:
        raise InputError(f"The texture has shape {list(texture.shape)}, accepted is [height,width,3 or 4].")
    if texture.dtype == torch.uint8:
        texture = texture.float() / 255
    elif not texture.is_floating_point():
        raise InputError(f"The texture is {texture.dtype}, accepted is uint8 or float 0..1.")
    texture = texture.float()
    return texture if texture.shape[2] == 4 else torch.cat([texture, torch.ones_like(texture[..., :1])], dim=2)


def repeats(uv: Tensor) -> bool:
    """Whether a texture with these ``uv`` [...,2] repeats itself, as in an exported file: some lie outside 0..1."""
    return bool(((uv < 0) | (uv > 1)).any())


def sample_texture(texture: Tensor, uv: Tensor, repeat: bool | None = None) -> Tensor:
    """Colours [S,C] of ``texture`` [h,w,C] at ``uv`` [S,2], bilinear; differentiable in both.

    Texel centres lie at (column + 0.5) / w and 1 - (row + 0.5) / h. Beyond the border the texture repeats itself or
    goes on with its last texels, by ``repeat``; None decides by these ``uv``.
    """
    height, width = texture.shape[:2]
    repeat = repeats(uv) if repeat is None else repeat
    x, y = uv[:, 0] * width - 0.5, (1 - uv[:, 1]) * height - 0.5
    left, top = x.floor(), y.floor()
    across, down = (x - left)[:, None], (y - top)[:, None]
    columns, rows = (_texels(first, count, repeat) for first, count in ((left, width), (top, height)))
    upper, lower = ([texture[row, column] for column in columns] for row in rows)
    upper, lower = (pair[0] + (pair[1] - pair[0]) * across for pair in (upper, lower))
    return upper + (lower - upper) * down


def _texels(first: Tensor, count: int, repeat: bool) -> tuple[Tensor, Tensor]:
    pair = (first.long(), first.long() + 1)
    return tuple(index % count if repeat else index.clamp(0, count - 1) for index in pair)
