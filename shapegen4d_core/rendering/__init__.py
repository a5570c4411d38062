"""Pictures of meshes: cameras, rasterisers, gradients, shading, overlays, films, contact sheets. Knows no models."""

from __future__ import annotations

from .contact_sheet import contact_sheet, save_png
from .differentiable import interpolate, soft_mask
from .frames import natural_style, render_sequence
from .movie import check_request, save_pictures
from .overlay import composite, overlay, parse_colour
from .rasterise import Raster, rasterise, rasterise_views
from .shade import Surface, render_surface
from .textured import render_textured
from .turntable import turntable
from .views import clip_camera, framing_camera, opencv_camera

__all__ = [
    "Raster",
    "Surface",
    "check_request",
    "clip_camera",
    "composite",
    "contact_sheet",
    "framing_camera",
    "interpolate",
    "natural_style",
    "opencv_camera",
    "overlay",
    "parse_colour",
    "rasterise",
    "rasterise_views",
    "render_sequence",
    "render_surface",
    "render_textured",
    "save_pictures",
    "save_png",
    "soft_mask",
    "turntable",
]
