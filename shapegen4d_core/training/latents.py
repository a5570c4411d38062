"""Stage 2: every clip, and its mirror image, encoded once to aligned latents."""

from __future__ import annotations

import numpy as np
import torch

from ..data.slots import mirror_slots
from ..models.shape_vae import ShapeVAE
from .vae import mirrored


@torch.inference_mode()
def encode_clip(
    vae: ShapeVAE,
    surface: np.ndarray,
    aligned: np.ndarray,
    slots: np.ndarray,
    flip: float = 1.0,
    points: int = 1024,
) -> np.ndarray:
    """Posterior mode [T,N,C] float16 of one clip: surface [T,P,6], aligned [T,Q,6], slots [N,K]; flip -1 mirrors x."""
    rows = (mirror_slots(slots) if flip < 0 else slots)[:, 0]
    signs = np.full(len(surface), flip, dtype=np.float32)
    cloud = torch.from_numpy(mirrored(surface[:, :points], signs, normals=True))
    query = torch.from_numpy(mirrored(aligned[:, rows], signs, normals=True))
    return vae.encode(cloud, query=query).mode().numpy().astype(np.float16)


def encode_clips(vae: ShapeVAE, clips: dict[str, np.ndarray], slots: np.ndarray, mirror: bool = True) -> np.ndarray:
    """Latents [clips or 2*clips,T,N,C] float16, the mirrored copies after all plain ones."""
    signs = (1.0, -1.0) if mirror else (1.0,)
    rows = [
        encode_clip(vae, s, a, k, flip) for flip in signs for s, a, k in zip(clips["surface"], clips["aligned"], slots)
    ]
    return np.stack(rows)
