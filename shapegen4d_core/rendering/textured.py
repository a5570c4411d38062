"""Pictures of textured meshes without light: what the texture says, seen through a camera. No gradients."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from ..errors import InputError
from .shade import Surface, render_surface
from .texture import sample_texture, texture_on

__all__ = ["render_textured", "sample_texture", "texture_on"]


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
    device = vertices.device
    surface = Surface(vertices, faces.to(device), None, uv.to(vertices), texture_on(texture, device))
    return render_surface(surface, intrinsics, rotation, translation, size, "textured", supersampling)
