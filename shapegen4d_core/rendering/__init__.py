"""Pictures of meshes: camera, z-buffer, shading, contact sheets. Knows nothing of models."""

from __future__ import annotations

from .contact_sheet import contact_sheet, save_png
from .differentiable import interpolate, soft_mask
from .rasterise import Raster, rasterise, rasterise_views
from .shade import render_mesh, render_sequence
from .textured import render_textured
from .views import clip_camera, opencv_camera

__all__ = [
    "Raster",
    "clip_camera",
    "contact_sheet",
    "interpolate",
    "opencv_camera",
    "rasterise",
    "rasterise_views",
    "render_mesh",
    "render_sequence",
    "render_textured",
    "save_png",
    "soft_mask",
]
