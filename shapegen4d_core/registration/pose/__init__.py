"""The pose of a generated sequence in its video."""

from __future__ import annotations

from .register import register_pose
from .result import PoseResult
from .settings import PoseSettings
from .similarity import DreamSimSimilarity, EncoderSimilarity, PictureSimilarity
from .summary import summary

__all__ = [
    "DreamSimSimilarity", "EncoderSimilarity", "PictureSimilarity", "PoseResult", "PoseSettings", "register_pose",
    "summary",
]  # fmt: skip
