"""Frames: from a video, an animated image, a folder or a host's tensors to a cropped :class:`Clip`."""

from .load import clip_from_frames, load_clip
from .notices import BorderWarning, ClipWarning, StillWarning
from .pictures import read_pictures

__all__ = ["BorderWarning", "ClipWarning", "StillWarning", "clip_from_frames", "load_clip", "read_pictures"]
