"""DreamSim (Fu et al. 2023): how alike two pictures look to people, from one to three vision transformers.

Own code for the published weights, which their authors give as pickled files; those are never read, so a file has to
be converted once. A converted file holds, for each branch it has (``dino``, ``clip``, ``open_clip``), the tensors of a
ViT-B/16 as ``<branch>.blocks.0.attn.qkv.weight`` and so on, ``clip.proj`` and ``open_clip.proj``, and either merged
weights or the low-rank factors beside them (``<branch>.blocks.0.attn.qkv.lora_A.weight``, ``lora_B``), whose strength
is ``lora_alpha`` in the file's metadata or in an ``adapter_config.json`` beside it. Heads are 64 channels wide, or as
many as ``num_heads`` in the metadata says. B pictures, C numbers each.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
import torch.nn.functional as functional
from torch import Tensor, nn

from ..errors import InputError
from ..progress import Check, Meter
from .config import CLIP_MEAN, CLIP_STD, IMAGENET_MEAN, IMAGENET_STD
from .optional import present_source
from .tensor_ops import plain_arithmetic
from .vit import BlockConfig, VisionTransformer, ViTConfig, exact
from .weights import Weights, WithoutInit, fill, open_weights, read_json

SOURCE = (
    "put a model.safetensors there that was converted from the ensemble checkpoint of "
    "github.com/ssundaram21/dreamsim (MIT; published as pickled files, which are not read; the README says how)"
)
LOW_RANK = (".lora_A.weight", ".lora_B.weight")
HEAD_WIDTH = 64


@dataclass(frozen=True)
class Branch:
    """What sets one transformer apart: its normalisation of colours, and the ways of CLIP if ``clip``."""

    mean: tuple[float, ...]
    std: tuple[float, ...]
    eps: float
    clip: bool
    quick: bool = False


BRANCHES = {
    "dino": Branch(IMAGENET_MEAN, IMAGENET_STD, eps=1e-6, clip=False),
    "clip": Branch(CLIP_MEAN, CLIP_STD, eps=1e-5, clip=True, quick=True),
    "open_clip": Branch(CLIP_MEAN, CLIP_STD, eps=1e-5, clip=True),
}


class Feature(VisionTransformer):
    """One branch: pixels [B,3,S,S] in 0..1 -> [B,C], the class token, projected in the branches of CLIP."""

    def __init__(self, branch: Branch, config: ViTConfig, out: int | None, ops: Any, place: dict[str, Any]):
        super().__init__(config, ops, place)
        self.branch = branch
        if out is not None:
            self.proj = nn.Parameter(torch.zeros(config.block.width, out, **exact(place)))

    def forward(self, pixels: Tensor, dtype: torch.dtype, check: Check | None = None) -> Tensor:
        mean, deviation = (pixels.new_tensor(v)[:, None, None] for v in (self.branch.mean, self.branch.std))
        first = super().forward((pixels - mean) / deviation, dtype, check)[:, 0]
        return first @ self.proj.to(first.device) if self.branch.clip else first


class DreamSim(nn.Module):
    """Pictures to vectors whose cosine says how alike they look.

    Weights of all three branches: 1.03 GB in float32, 0.52 GB in 16 bits; one branch a third of that.
    ``compute_dtype`` may be set by a host whose ``ops`` cast weights to the dtype of their input.
    """

    def __init__(
        self, configs: Mapping[str, tuple[ViTConfig, int | None]], ops: Any = nn, dtype: Any = None, device: Any = None
    ):
        super().__init__()
        self.compute_dtype: torch.dtype | None = None
        place = {"dtype": dtype or torch.float32, "device": device}
        for name, (config, out) in configs.items():
            setattr(self, name, Feature(BRANCHES[name], config, out, ops, place))
        self.names = tuple(configs)

    @classmethod
    def load(
        cls,
        source: str | os.PathLike | Mapping[str, Tensor],
        device: Any = "cpu",
        dtype: torch.dtype | None = None,
        ops: Any = nn,
        lora_alpha: float | None = None,
        check: Check | None = None,
    ) -> DreamSim:
        """The network of a folder, a .safetensors file or a state dict, ready for inference.

        dtype: of the large layers (None: float32). lora_alpha: strength of low-rank factors in the file, when neither
        its metadata nor an adapter_config.json says it. check: called every few MiB. Raises
        InputError where there are no weights, saying where they are published, and for weights that do not fit.
        """
        weights = open_weights(present_source(source, "DreamSim", SOURCE))
        tensors = _merged(weights, lora_alpha, check)
        with WithoutInit():
            network = cls(_configs(tensors, _number(weights, "num_heads")), ops, dtype, "meta")
        fill(network, replace(open_weights(tensors), label=weights.label), "DreamSim network", device=device)
        return network.requires_grad_(False)

    @property
    def side(self) -> int:
        """Pixels per side of the pictures it takes: 224 for the published weights."""
        config = getattr(self, self.names[0]).config
        return config.side * config.patch

    def embed(self, images: Tensor, at_once: int = 16, check: Check | None = None) -> Tensor:
        """Vectors [B,C] of length 1 and mean 0 for pictures [B,3,side,side] in 0..1; C is 1792 for all branches.

        The published preparation squeezes pictures to a square with a bicubic filter. ``at_once`` pictures are held
        in memory as tokens. Raises InputError for other shapes.
        """
        side = self.side
        if images.ndim != 4 or tuple(images.shape[1:]) != (3, side, side):
            raise InputError(f"DreamSim takes pictures [B,3,{side},{side}]; it was given {list(images.shape)}.")
        with plain_arithmetic(images.device):
            features = torch.cat([self._features(part, check) for part in images.float().split(at_once)])
            return functional.normalize(features - features.mean(dim=1, keepdim=True), dim=1)

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """Distances [B] in 0..2 of pictures [B,3,side,side]; 0 for the same picture."""
        return self.distance(self.embed(first), self.embed(second))

    @staticmethod
    def distance(first: Tensor, second: Tensor) -> Tensor:
        """1 - cosine [B] of vectors [B,C]; either may have B = 1."""
        return 1 - functional.cosine_similarity(first, second, dim=1)

    def _features(self, images: Tensor, check: Check | None) -> Tensor:
        branches = [getattr(self, name) for name in self.names]
        dtype = self.compute_dtype or branches[0].patch_embed["proj"].weight.dtype
        return torch.cat([branch(images, dtype, check) for branch in branches], dim=1)


def _merged(weights: Weights, lora_alpha: float | None, check: Check | None) -> dict[str, Tensor]:
    """The tensors with low-rank factors added to what they belong to: base + alpha / rank * B A, in float32."""
    stored = weights.read(None, Meter(0, None, check).advance)
    tensors = {name: tensor for name, tensor in stored if not name.startswith("dino.norm.")}
    bases = [name.removesuffix(LOW_RANK[0]) for name in tensors if name.endswith(LOW_RANK[0])]
    alpha = _strength(weights, lora_alpha) if bases else 0.0
    for base in bases:
        down, up = (tensors.pop(base + suffix, None) for suffix in LOW_RANK)
        target = tensors.get(f"{base}.weight")
        if up is None or target is None or (up.shape[0], down.shape[1]) != tuple(target.shape):
            raise InputError(f"{weights.label} has low-rank factors of {base} that do not fit; convert it again.")
        tensors[f"{base}.weight"] = target.float() + alpha / len(down) * (up.float() @ down.float())
    return tensors


def _strength(weights: Weights, given: float | None) -> float:
    beside = weights.files[0].parent / "adapter_config.json" if weights.files else None
    value = given if given is not None else _number(weights, "lora_alpha")
    if value is None and beside is not None and beside.is_file():
        value = read_json(beside).get("lora_alpha")
    if not isinstance(value, (int, float)):
        raise InputError(
            f"{weights.label} holds low-rank factors but not their strength; give lora_alpha, or put "
            "adapter_config.json beside it."
        )
    return float(value)


def _number(weights: Weights, name: str) -> float | None:
    """A number of the file's metadata, None when it is not there."""
    text = weights.metadata.get(name)
    try:
        return None if text is None else float(text)
    except ValueError:
        raise InputError(f"{weights.label} has a damaged header: {name} is {text!r}, not a number.") from None


def _configs(tensors: Mapping[str, Tensor], heads: float | None) -> dict[str, tuple[ViTConfig, int | None]]:
    """Sizes of each branch the tensors hold, in the order their features are joined."""
    found = {name: _config(name, tensors, heads) for name in BRANCHES if f"{name}.pos_embed" in tensors}
    if not found:
        looked = ", ".join(f"{name}.pos_embed" for name in BRANCHES)
        raise InputError(f"These are not the weights of DreamSim: there is none of the tensors {looked}.")
    return found


def _config(name: str, tensors: Mapping[str, Tensor], heads: float | None) -> tuple[ViTConfig, int | None]:
    branch = BRANCHES[name]
    needed = ["patch_embed.proj.weight", "blocks.0.mlp.fc1.weight", *(["proj"] if branch.clip else [])]
    missing = [key for key in needed if f"{name}.{key}" not in tensors]
    if missing:
        raise InputError(f"These are not the weights of DreamSim: there is no tensor {name}.{missing[0]}.")
    width, _, patch, _ = tensors[f"{name}.patch_embed.proj.weight"].shape
    hidden = len(tensors[f"{name}.blocks.0.mlp.fc1.weight"])
    block = BlockConfig(width, int(heads or width // HEAD_WIDTH), hidden, branch.eps, scaled=False, quick=branch.quick)
    prefix = f"{name}.blocks."
    depth = 1 + max(int(key[len(prefix) :].split(".")[0]) for key in tensors if key.startswith(prefix))
    side = round((tensors[f"{name}.pos_embed"].shape[1] - 1) ** 0.5)
    config = ViTConfig(block, depth, patch, side, first_norm=branch.clip, last_norm=branch.clip)
    return config, tensors[f"{name}.proj"].shape[1] if branch.clip else None
