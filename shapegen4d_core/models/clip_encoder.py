"""CLIP vision tower of the label-conditioned model (spec 3.5): the last hidden state before the closing norm.

The published file also holds the text tower, the projections, the closing norm and the logit scale; nothing
reads them, so they have no parameters here and :data:`UNUSED_KEYS` declares them to the loader.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from ..errors import InputError
from .config import ClipVisionConfig
from .layers import token_attention

NORM_EPS = 1e-5

UNUSED_KEYS = (
    "clip_model.logit_scale",
    "clip_model.text_model.",
    "clip_model.text_projection.",
    "clip_model.visual_projection.",
    "clip_model.vision_model.post_layernorm.",
)


class ClipEmbeddings(nn.Module):
    """Class token and patches with learned positions: [F,3,S,S] -> [F,1+P,D]."""

    def __init__(self, config: ClipVisionConfig, ops: Any, place: dict[str, Any]):
        super().__init__()
        self.image_size = config.image_size
        width, patch = config.hidden_size, config.patch_size
        self.class_embedding = nn.Parameter(torch.zeros(width, **place))
        self.patch_embedding = ops.Conv2d(config.in_channels, width, patch, stride=patch, bias=False, **place)
        self.position_embedding = ops.Embedding(1 + (config.image_size // patch) ** 2, width, **place)

    def forward(self, pixels: Tensor) -> Tensor:
        if pixels.shape[-2:] != (self.image_size, self.image_size):
            raise InputError(
                f"The CLIP tower takes pictures of {self.image_size} x {self.image_size} pixels; "
                f"it was given {list(pixels.shape)}."
            )
        patches = self.patch_embedding(pixels).flatten(2).transpose(1, 2)
        first = self.class_embedding.to(patches).expand(pixels.shape[0], 1, -1)
        x = torch.cat([first, patches], dim=1)
        index = torch.arange(x.shape[1], device=x.device)
        return x + self.position_embedding(index).to(x)


class ClipAttention(nn.Module):
    """Multi-head self attention: [F,N,D] -> [F,N,D]."""

    def __init__(self, width: int, heads: int, ops: Any, place: dict[str, Any]):
        super().__init__()
        self.heads = heads
        self.q_proj = ops.Linear(width, width, **place)
        self.k_proj = ops.Linear(width, width, **place)
        self.v_proj = ops.Linear(width, width, **place)
        self.out_proj = ops.Linear(width, width, **place)

    def forward(self, x: Tensor) -> Tensor:
        layers = (self.q_proj, self.k_proj, self.v_proj)
        q, k, v = (layer(x).unflatten(-1, (self.heads, -1)) for layer in layers)
        return self.out_proj(token_attention(q, k, v))


class ClipMLP(nn.Module):
    """Linear, quick GELU (x * sigmoid(1.702 x)), Linear."""

    def __init__(self, config: ClipVisionConfig, ops: Any, place: dict[str, Any]):
        super().__init__()
        self.fc1 = ops.Linear(config.hidden_size, config.intermediate_size, **place)
        self.fc2 = ops.Linear(config.intermediate_size, config.hidden_size, **place)

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.fc1(x)
        return self.fc2(hidden * torch.sigmoid(1.702 * hidden))


class ClipLayer(nn.Module):
    """Pre-norm transformer layer: [F,N,D] -> [F,N,D]."""

    def __init__(self, config: ClipVisionConfig, ops: Any, place: dict[str, Any]):
        super().__init__()
        width = config.hidden_size
        self.layer_norm1 = ops.LayerNorm(width, eps=NORM_EPS, **place)
        self.self_attn = ClipAttention(width, config.num_attention_heads, ops, place)
        self.layer_norm2 = ops.LayerNorm(width, eps=NORM_EPS, **place)
        self.mlp = ClipMLP(config, ops, place)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.self_attn(self.layer_norm1(x))
        return x + self.mlp(self.layer_norm2(x))


class ClipVisionModel(nn.Module):
    """The vision tower: [F,3,S,S] -> [F,1+P,D]."""

    def __init__(self, config: ClipVisionConfig, ops: Any, place: dict[str, Any]):
        super().__init__()
        self.embeddings = ClipEmbeddings(config, ops, place)
        self.pre_layrnorm = ops.LayerNorm(config.hidden_size, eps=NORM_EPS, **place)  # published spelling
        layers = [ClipLayer(config, ops, place) for _ in range(config.num_hidden_layers)]
        self.encoder = nn.ModuleDict({"layers": nn.ModuleList(layers)})

    def forward(self, pixels: Tensor) -> Tensor:
        x = self.pre_layrnorm(self.embeddings(pixels))
        for layer in self.encoder["layers"]:
            x = layer(x)
        return x


class ClipModel(nn.Module):
    """Holder of the vision tower under its published name."""

    def __init__(self, config: ClipVisionConfig, ops: Any, place: dict[str, Any]):
        super().__init__()
        self.vision_model = ClipVisionModel(config, ops, place)

    def forward(self, pixels: Tensor) -> Tensor:
        return self.vision_model(pixels)
