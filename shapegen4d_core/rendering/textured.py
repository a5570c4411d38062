"""Pictures of textured meshes without light: what the texture says, seen through a camera. No gradients.

The origin of uv is bottom left and the first row of a texture is its top, as in ``MeshSequence``.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ..errors import InputError
from .rasterise import rasterise
from .samples import average, finer


def render_textured(
    vertices: Tensor,
    faces: Tensor,
    uv: Tensor,
    texture: Tensor | np.ndarray,
    intrinsics: Tensor,
    rotation: Tensor,
    translation: Tensor,
    size: tuple[int, int],
    supersampling: int = 2,
) -> Tensor:
    """Picture [H,W,4] float32 0..1, straight alpha, of ``vertices`` [V,3], ``faces`` [F,3] and ``uv`` [V,2].

    ``texture`` [h,w,3|4] is uint8 or float 0..1, read bilinearly; its alpha thins the picture's, and what lies behind
    stays hidden. Each pixel is the mean of ``supersampling`` x ``supersampling`` samples. K [3,3] in pixels, R [3,3],
    t [3], ``size`` (H, W). Raises InputError for shapes that do not fit.
    """
    if uv.shape != (len(vertices), 2):
        raise InputError(f"uv has shape {list(uv.shape)}, accepted is [{len(vertices)},2], one per vertex.")
    fine, fine_size = finer(intrinsics, size, supersampling)
    raster = rasterise(vertices, faces, fine, rotation, translation, fine_size)
    seen = raster.face_id >= 0
    corners = uv.to(vertices)[faces.to(vertices.device)[raster.face_id[seen]].long()]  # [S,3,2]
    place = (corners * raster.barycentric[seen][..., None]).sum(dim=1)
    samples = torch.zeros(*fine_size, 4, device=vertices.device)
    samples[seen] = sample_texture(texture_on(texture, vertices.device), place)
    return average(samples, supersampling)


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


def sample_texture(texture: Tensor, uv: Tensor) -> Tensor:
    """Colours [S,C] of ``texture`` [h,w,C] at ``uv`` [S,2], bilinear; differentiable in both.

    Texel centres lie at (column + 0.5) / w and 1 - (row + 0.5) / h. Beyond the border the texture goes on with its
    last texels when all ``uv`` are in 0..1, and repeats itself when they are not.
    """
    height, width = texture.shape[:2]
    repeats = bool(((uv < 0) | (uv > 1)).any())
    x, y = uv[:, 0] * width - 0.5, (1 - uv[:, 1]) * height - 0.5
    left, top = x.floor(), y.floor()
    across, down = (x - left)[:, None], (y - top)[:, None]
    columns, rows = (_texels(first, count, repeats) for first, count in ((left, width), (top, height)))
    upper, lower = ([texture[row, column] for column in columns] for row in rows)
    upper, lower = (pair[0] + (pair[1] - pair[0]) * across for pair in (upper, lower))
    return upper + (lower - upper) * down


def _texels(first: Tensor, count: int, repeats: bool) -> tuple[Tensor, Tensor]:
    pair = (first.long(), first.long() + 1)
    return tuple(index % count if repeats else index.clamp(0, count - 1) for index in pair)
