"""Textures for sequences of one topology: from the video itself, or from a textured first mesh.

One texture and one set of uv coordinates serve all frames, so nothing flickers.
"""

from __future__ import annotations

from .from_mesh import texture_from_mesh
from .from_video import texture_from_video
from .result import TextureReport, TextureResult
from .settings import TextureSettings
from .source_mesh import SourceMesh, source_from, source_from_arrays
from .unwrap import Unwrapped, unwrap

__all__ = [
    "SourceMesh", "TextureReport", "TextureResult", "TextureSettings", "Unwrapped", "source_from", "source_from_arrays",
    "texture_from_mesh", "texture_from_video", "unwrap",
]  # fmt: skip
