"""The retrieval baseline: for every picture the training frame that looks most like it, with that frame's latents."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

SIDE = 14


def thumbnail(rgba: np.ndarray, silhouette: bool = False) -> np.ndarray:
    """Feature rows float32 of pictures [F,S,S,4] uint8: the premultiplied picture, or its alpha only, at 14 x 14."""
    values = rgba.astype(np.float32) / 255.0
    values = (
        values[..., 3:] if silhouette else np.concatenate([values[..., :3] * values[..., 3:], values[..., 3:]], axis=-1)
    )
    block = values.shape[1] // SIDE
    values = values[:, : block * SIDE, : block * SIDE]
    pooled = values.reshape(len(values), SIDE, block, SIDE, block, -1).mean(axis=(2, 4))
    return pooled.reshape(len(values), -1)


class NearestFrames:
    """Training pictures [clips,T,S,S,4] uint8 and latents [clips,T,N,C], searchable by picture."""

    def __init__(self, rgba: np.ndarray, latents: np.ndarray, silhouette: bool = False):
        self.silhouette = silhouette
        self.latents = latents.reshape(-1, *latents.shape[2:])
        features = [thumbnail(clip, silhouette) for clip in rgba]
        self.tree = cKDTree(np.concatenate(features))

    def latents_of(self, rgba: np.ndarray) -> np.ndarray:
        """Latents float32 [F,N,C] of the nearest training frame of each picture [F,S,S,4]."""
        _, index = self.tree.query(thumbnail(rgba, self.silhouette))
        return self.latents[index].astype(np.float32)
