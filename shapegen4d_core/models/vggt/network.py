"""VGGT (Wang et al. 2025): pictures of one thing to a point for every pixel, in the axes of the first camera.

Own code for the published weights; only the trunk, the point head and the camera head are read, the depth and track
heads of the file are skipped. S pictures, H x W pixels.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ...errors import InputError
from ...progress import Check, Progress, tick
from ..optional import present_source
from ..tensor_ops import plain_arithmetic
from ..vit import exact
from ..weights import WithoutInit, fill, open_weights
from .aggregator import Aggregator
from .camera_head import CameraHead
from .config import VGGTConfig, config_of
from .point_head import PointHead

UNUSED = ("depth_head.", "track_head.", "aggregator.patch_embed.mask_token")
SOURCE = (
    "put the model.safetensors of huggingface.co/facebook/VGGT-1B there (CC BY-NC 4.0, not for commercial use), or "
    "that of facebook/VGGT-1B-Commercial (access on request; commercial but no military use), converted to "
    "safetensors if it comes as .pt"
)


@dataclass(frozen=True)
class VGGTOutput:
    """``points`` [S,H,W,3] in the first camera's OpenCV axes, ``confidence`` [S,H,W] above 1, ``pose_encoding`` [S,9].

    The last is None without the camera head; :func:`cameras_of` turns it into cameras.
    """

    points: Tensor
    confidence: Tensor
    pose_encoding: Tensor | None


class VGGT(nn.Module):
    """Trunk in ``dtype``, heads in float32 as published; parameter names are those of the published file.

    Weights at full size: 4.63 GB in float32, 2.82 GB with a 16-bit trunk, 1.95 GB without the camera head as well.
    ``compute_dtype`` may be set by a host whose ``ops`` cast weights to the dtype of their input.
    """

    def __init__(
        self,
        config: VGGTConfig,
        ops: Any = nn,
        dtype: torch.dtype | None = None,
        device: Any = None,
        cameras: bool = True,
    ):
        super().__init__()
        self.config = config
        self.compute_dtype: torch.dtype | None = None
        place = {"dtype": dtype or torch.float32, "device": device}
        self.aggregator = Aggregator(config, ops, place)
        self.point_head = PointHead(config, ops, exact(place))
        self.camera_head = CameraHead(config, ops, exact(place)) if cameras else None

    @classmethod
    def load(
        cls,
        source: str | os.PathLike | Mapping[str, Tensor],
        device: Any = "cpu",
        dtype: torch.dtype | None = None,
        ops: Any = nn,
        cameras: bool = True,
        check: Check | None = None,
    ) -> VGGT:
        """The network of a folder, a .safetensors file or a state dict, ready for inference; sizes from its tensors.

        dtype: of the trunk (None: float32). cameras: with the camera head. check: called every few MiB. Raises
        InputError where there are no weights, saying where they are published, and for weights that do not fit.
        """
        weights = open_weights(present_source(source, "VGGT", SOURCE))
        with WithoutInit():
            network = cls(config_of(weights.shapes), ops, dtype, "meta", cameras)
        unused = UNUSED if cameras else (*UNUSED, "camera_head.")
        fill(network, weights, "VGGT network", unused=unused, device=device, check=check)
        return network.requires_grad_(False)

    def forward(
        self, pictures: Tensor, progress: Progress | None = None, check: Check | None = None
    ) -> VGGTOutput:
        """Point maps of pictures [1,S,3,H,W] in 0..1, H and W multiples of the patch, the reference first.

        The trunk sees all pictures at once, the point head one at a time, which bounds its memory and changes nothing.
        Raises InputError for other shapes.
        """
        self._check(pictures)
        with plain_arithmetic(pictures.device):
            return self._run(pictures[0].float(), progress, check)

    def _run(self, pictures: Tensor, progress: Progress | None, check: Check | None) -> VGGTOutput:
        config, count = self.config, len(pictures)
        total = config.depth + count
        report = None if progress is None else lambda step, _, preview=None: progress(step, total, preview)
        wanted = {*config.tapped, config.depth - 1}
        dtype = self.compute_dtype or self.aggregator.patch_embed.patch_embed["proj"].weight.dtype
        tokens = self.aggregator(pictures, wanted, dtype, report, check)
        maps = []
        for number in range(count):
            tapped = [tokens[block][number : number + 1] for block in config.tapped]
            maps.append(self.point_head(tapped, tuple(pictures.shape[-2:]), check))
            tick(progress, check, config.depth + number + 1, total)
        points, confidence = (torch.cat(parts) for parts in zip(*maps))
        poses = self.camera_head(tokens[config.depth - 1][:, 0]) if self.camera_head is not None else None
        return VGGTOutput(points, confidence, poses)

    def _check(self, pictures: Tensor) -> None:
        patch, shape = self.config.patch, list(pictures.shape)
        if pictures.ndim != 5 or shape[0] != 1 or shape[2] != 3 or not shape[1] or any(s % patch for s in shape[3:]):
            raise InputError(
                f"VGGT takes pictures [1,S,3,H,W] with sides that are multiples of {patch}; it was given {shape}."
            )
