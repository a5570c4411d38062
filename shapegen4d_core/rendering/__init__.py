"""Pictures of meshes: camera, z-buffer, shading, contact sheets. Knows nothing of models."""

from __future__ import annotations

from .contact_sheet import contact_sheet, save_png
from .rasterise import Raster, rasterise
from .shade import render_mesh, render_sequence
from .views import opencv_camera

__all__ = ["Raster", "contact_sheet", "opencv_camera", "rasterise", "render_mesh", "render_sequence", "save_png"]
