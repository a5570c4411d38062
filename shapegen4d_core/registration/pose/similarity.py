"""How alike two pictures look to a network: the protocol, and its two adapters. Without one, geometry decides alone.

The offline cost of a pose (outline, shading and lines, see ``judge.py``) needs no weights. A similarity is added to
it when given: DreamSim when its weights are on disk, or the pack's own image encoder when a model is loaded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor
from torch.nn.functional import interpolate, normalize

from ...models.encoding import encode_clip
from ...sequence import Clip

if TYPE_CHECKING:
    from ...models.dreamsim import DreamSim
    from ...models.image_encoder import ImageEncoder


class PictureSimilarity(Protocol):
    """Vectors of pictures and the distance between them."""

    def embed(self, pictures: Tensor) -> Tensor:
        """Vectors [B,C] of square pictures [B,H,W,4], 0..1, straight alpha, that hold one object each."""
        ...

    def distance(self, first: Tensor, second: Tensor) -> Tensor:
        """Distances [B] between rows of [B,C]; 0 for the same picture, about 0..1; either may have B = 1."""
        ...


def cosine_distance(first: Tensor, second: Tensor) -> Tensor:
    """1 - cosine [B] of vectors [B,C]; either may have one row."""
    return 1 - (normalize(first, dim=-1) * normalize(second, dim=-1)).sum(dim=-1)


class DreamSimSimilarity:
    """DreamSim on black, as V2M4 compares pictures (paper, A.1)."""

    def __init__(self, network: DreamSim, device: torch.device | str = "cpu"):
        self.network, self.device = network, device

    def embed(self, pictures: Tensor) -> Tensor:
        """Vectors [B,C] of pictures [B,H,W,4]."""
        flat = (pictures[..., :3] * pictures[..., 3:]).permute(0, 3, 1, 2).to(self.device)
        side = self.network.side
        flat = interpolate(flat, size=(side, side), mode="bicubic", antialias=True, align_corners=False)
        return self.network.embed(flat.clamp(0, 1)).to(pictures.device)

    def distance(self, first: Tensor, second: Tensor) -> Tensor:
        """1 - cosine [B]."""
        return cosine_distance(first, second)


class EncoderSimilarity:
    """The pack's own image encoder: the mean of its tokens."""

    def __init__(self, encoder: ImageEncoder, device: torch.device | str | None = None):
        self.encoder, self.device = encoder, device

    def embed(self, pictures: Tensor) -> Tensor:
        """Vectors [B,C] of pictures [B,H,W,4]."""
        clip = Clip(pictures.detach().float().cpu().clamp(0, 1).contiguous(), 1.0)
        tokens = encode_clip(self.encoder, clip, "similarity", device=self.device).tokens
        return tokens.mean(dim=1).to(pictures.device)

    def distance(self, first: Tensor, second: Tensor) -> Tensor:
        """1 - cosine [B]."""
        return cosine_distance(first, second)
