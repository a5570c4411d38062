"""VGGT for the point maps of registration, when its weights are on the disk."""

from .camera_head import cameras_of
from .config import VGGTConfig
from .network import VGGT, VGGTOutput

__all__ = ["VGGT", "VGGTConfig", "VGGTOutput", "cameras_of"]
