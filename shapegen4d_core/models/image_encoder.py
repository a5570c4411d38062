"""Image encoder: DINOv2 with registers, and the CLIP tower of the label model beside it (spec 3.3, 3.5).

F frames flat, C channels, S side in pixels, R registers, P patches (row-major), D width.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..errors import InputError
from .clip_encoder import ClipModel
from .config import ImageEncoderConfig
from .layers import token_attention
from .vit import resampled_positions

NORM_EPS = 1e-6
INIT_STD = 0.02


def learned(*shape: int, place: dict[str, Any]) -> nn.Parameter:
    """A parameter that starts as small normal noise."""
    parameter = nn.Parameter(torch.empty(*shape, **place))
    nn.init.trunc_normal_(parameter, std=INIT_STD)
    return parameter


class PatchEmbeddings(nn.Module):
    """Picture [F,C,H,W] -> patch vectors [F,P,D]."""

    def __init__(self, config: ImageEncoderConfig, ops: Any, place: dict[str, Any]):
        super().__init__()
        patch = config.patch_size
        self.projection = ops.Conv2d(config.in_channels, config.hidden_size, patch, stride=patch, **place)

    def forward(self, pixels: Tensor) -> Tensor:
        return self.projection(pixels).flatten(2).transpose(1, 2)


class Embeddings(nn.Module):
    """Class token, registers and positioned patches: [F,C,H,W] -> [F,1+R+P,D]."""

    def __init__(self, config: ImageEncoderConfig, ops: Any, place: dict[str, Any]):
        super().__init__()
        self.patch_size = config.patch_size
        self.table_side = config.table_side // config.patch_size
        width = config.hidden_size
        self.cls_token = learned(1, 1, width, place=place)
        self.mask_token = nn.Parameter(torch.zeros(1, width, **place))  # in the published file, never used
        self.register_tokens = learned(1, config.num_register_tokens, width, place=place)
        self.patch_embeddings = PatchEmbeddings(config, ops, place)
        self.position_embeddings = learned(1, 1 + self.table_side**2, width, place=place)

    def positions(self, rows: int, columns: int) -> Tensor:
        """Position vectors [1,1+rows*columns,D]; patches resampled in float32 if needed."""
        return resampled_positions(self.position_embeddings, self.table_side, rows, columns)

    def forward(self, pixels: Tensor) -> Tensor:
        frames, _, height, width = pixels.shape
        patches = self.patch_embeddings(pixels)
        first = self.cls_token.to(patches).expand(frames, -1, -1)
        x = torch.cat([first, patches], dim=1)
        x = x + self.positions(height // self.patch_size, width // self.patch_size).to(x)
        registers = self.register_tokens.to(x).expand(frames, -1, -1)
        return torch.cat([x[:, :1], registers, x[:, 1:]], dim=1)


class Projections(nn.Module):
    """Multi-head self attention up to, not including, the output projection: [F,N,D] -> [F,N,D]."""

    def __init__(self, width: int, heads: int, ops: Any, place: dict[str, Any]):
        super().__init__()
        self.heads = heads
        self.query = ops.Linear(width, width, **place)
        self.key = ops.Linear(width, width, **place)
        self.value = ops.Linear(width, width, **place)

    def forward(self, x: Tensor) -> Tensor:
        layers = (self.query, self.key, self.value)
        q, k, v = (layer(x).unflatten(-1, (self.heads, -1)) for layer in layers)
        return token_attention(q, k, v)


class Attention(nn.Module):
    """Self attention with its output projection, nested as in the published names."""

    def __init__(self, width: int, heads: int, ops: Any, place: dict[str, Any]):
        super().__init__()
        self.attention = Projections(width, heads, ops, place)
        self.output = nn.ModuleDict({"dense": ops.Linear(width, width, **place)})

    def forward(self, x: Tensor) -> Tensor:
        return self.output["dense"](self.attention(x))


class LayerScale(nn.Module):
    """Learned factor per channel."""

    def __init__(self, width: int, place: dict[str, Any]):
        super().__init__()
        self.lambda1 = nn.Parameter(torch.ones(width, **place))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.lambda1.to(x)


class FeedForward(nn.Module):
    """Linear, exact GELU, Linear."""

    def __init__(self, width: int, ratio: int, ops: Any, place: dict[str, Any]):
        super().__init__()
        self.fc1 = ops.Linear(width, width * ratio, **place)
        self.fc2 = ops.Linear(width * ratio, width, **place)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(F.gelu(self.fc1(x)))


class Layer(nn.Module):
    """Pre-norm transformer layer with LayerScale on both branches: [F,N,D] -> [F,N,D]."""

    def __init__(self, config: ImageEncoderConfig, ops: Any, place: dict[str, Any]):
        super().__init__()
        width = config.hidden_size
        self.norm1 = ops.LayerNorm(width, eps=NORM_EPS, **place)
        self.attention = Attention(width, config.num_attention_heads, ops, place)
        self.layer_scale1 = LayerScale(width, place)
        self.norm2 = ops.LayerNorm(width, eps=NORM_EPS, **place)
        self.mlp = FeedForward(width, config.mlp_ratio, ops, place)
        self.layer_scale2 = LayerScale(width, place)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.layer_scale1(self.attention(self.norm1(x)))
        return x + self.layer_scale2(self.mlp(self.norm2(x)))


class DinoModel(nn.Module):
    """DINOv2 with registers: pixels [F,C,H,W] -> all tokens [F,1+R+P,D] after the final norm."""

    def __init__(self, config: ImageEncoderConfig, ops: Any, place: dict[str, Any]):
        super().__init__()
        self.embeddings = Embeddings(config, ops, place)
        layers = [Layer(config, ops, place) for _ in range(config.num_hidden_layers)]
        self.encoder = nn.ModuleDict({"layer": nn.ModuleList(layers)})
        self.layernorm = ops.LayerNorm(config.hidden_size, eps=NORM_EPS, **place)

    def forward(self, pixels: Tensor) -> Tensor:
        x = self.embeddings(pixels)
        for layer in self.encoder["layer"]:
            x = layer(x)
        return self.layernorm(x)


class ImageEncoder(nn.Module):
    """Prepared pictures to condition tokens; parameter names are those of the published file.

    ``compute_dtype`` may be set by a host whose ``ops`` cast weights to the dtype of their input; otherwise
    pixels are cast to the dtype of the weights.
    """

    def __init__(
        self, config: ImageEncoderConfig, ops: Any = nn, dtype: torch.dtype | None = None, device: Any = None
    ):
        super().__init__()
        self.config = config
        self.compute_dtype: torch.dtype | None = None
        place = {"dtype": dtype, "device": device}
        self.dino_model = DinoModel(config, ops, place)
        if config.clip is not None:
            self.clip_model = ClipModel(config.clip, ops, place)

    def forward(self, pixels: Tensor) -> Tensor:
        """All DINO tokens [F,1+R+P,D] of normalised pixels [F,C,H,W], H and W multiples of the patch size."""
        self._check(pixels)
        return self.dino_model(pixels.to(self._dtype()))

    def tokens(self, pixels: Tensor, clip_pixels: Tensor | None = None) -> Tensor:
        """Condition tokens [F,M,D]: class, patches (registers dropped), then the CLIP tokens if any.

        clip_pixels: [F,3,224,224] normalised for CLIP, needed exactly when the configuration has ``clip``.
        """
        if (clip_pixels is not None) != self.config.use_clip:
            raise InputError(
                "This image encoder needs clip_pixels as well."
                if self.config.use_clip
                else "This image encoder has no CLIP tower; leave clip_pixels out."
            )
        hidden = self.forward(pixels)
        kept = torch.cat([hidden[:, :1], hidden[:, 1 + self.config.num_register_tokens :]], dim=1)
        if clip_pixels is None:
            return kept
        return torch.cat([kept, self.clip_model(clip_pixels.to(self._dtype()))], dim=1)

    def _dtype(self) -> torch.dtype:
        return self.compute_dtype or self.dino_model.layernorm.weight.dtype

    def _check(self, pixels: Tensor) -> None:
        channels, patch = self.config.in_channels, self.config.patch_size
        if pixels.ndim != 4 or pixels.shape[1] != channels or any(side % patch for side in pixels.shape[2:]):
            raise InputError(
                f"The image encoder takes pixels [F,{channels},H,W] with sides that are multiples of "
                f"{patch}; it was given {list(pixels.shape)}."
            )
