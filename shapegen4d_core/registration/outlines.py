"""Outlines of meshes in the pixels of a clip, and how far two outlines overlap."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ..rendering.rasterise import rasterise
from ..rendering.views import clip_camera
from ..sequence import Camera, Clip

SEEN = 0.5  # alpha above which a pixel belongs to the object


def silhouette(vertices: np.ndarray, faces: np.ndarray, camera: Camera, clip: Clip) -> Tensor:
    """Mask bool [H,W] of a mesh [V,3], [F,3] in the pixels of the clip's frames."""
    size = tuple(clip.frames.shape[1:3])
    if len(faces) == 0:
        return torch.zeros(size, dtype=torch.bool)
    return rasterise(torch.from_numpy(vertices), torch.from_numpy(faces), *clip_camera(camera, clip), size).face_id >= 0


def overlap(first: Tensor, second: Tensor) -> float:
    """Intersection over union 0..1 of two masks bool [H,W]; 1 where both are empty."""
    union = int((first | second).sum())
    return int((first & second).sum()) / union if union else 1.0
