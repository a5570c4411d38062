"""VGGT's camera head, and cameras out of its nine numbers. S pictures, W width of the head."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as functional
from torch import Tensor, nn

from ..vit import Block, Perceptron
from .config import POSE_SIZE, VGGTConfig

ROUNDS = 4


class CameraHead(nn.Module):
    """Camera tokens [S,W] -> translation, quaternion xyzw and fields of view in radians [S,9], improved in rounds."""

    def __init__(self, config: VGGTConfig, ops: Any, place: dict[str, Any]):
        super().__init__()
        block, width = config.camera_block(), 2 * config.width
        self.empty_pose_tokens = nn.Parameter(torch.zeros(1, 1, POSE_SIZE, **place))
        self.embed_pose = ops.Linear(POSE_SIZE, width, **place)
        self.poseLN_modulation = nn.ModuleList([nn.SiLU(), ops.Linear(width, 3 * width, **place)])
        self.trunk = nn.ModuleList([Block(block, ops, place) for _ in range(config.camera_depth)])
        self.token_norm = ops.LayerNorm(width, eps=1e-5, **place)
        self.trunk_norm = ops.LayerNorm(width, eps=1e-5, **place)
        self.pose_branch = Perceptron(width, width // 2, False, ops, place, out=POSE_SIZE)

    def forward(self, tokens: Tensor) -> Tensor:
        tokens = self.token_norm(tokens[None])
        plain = functional.layer_norm(tokens, tokens.shape[-1:], eps=1e-6)
        pose = self.empty_pose_tokens.to(tokens).expand(1, tokens.shape[1], -1)
        total = torch.zeros_like(pose)
        for _ in range(ROUNDS):
            total = total + self._change(tokens, plain, pose)
            pose = total
        return torch.cat([total[0, :, :7], total[0, :, 7:].relu()], dim=-1)

    def _change(self, tokens: Tensor, plain: Tensor, pose: Tensor) -> Tensor:
        """What to add to the cameras found so far."""
        activation, layer = self.poseLN_modulation
        shift, scale, gate = layer(activation(self.embed_pose(pose))).chunk(3, dim=-1)
        x = tokens + gate * (plain * (1 + scale) + shift)
        for block in self.trunk:
            x = block(x, x.dtype)
        return self.pose_branch(self.trunk_norm(x))


def cameras_of(pose_encoding: Tensor, size: tuple[int, int]) -> tuple[Tensor, Tensor, Tensor]:
    """K [S,3,3] in pixels of pictures of ``size`` (H, W), R [S,3,3] and t [S,3] out of the head's numbers [S,9].

    World to camera in OpenCV axes, the principal point in the middle; the world is the first camera's.
    """
    height, width = size
    x, y, z, w = functional.normalize(pose_encoding[:, 3:7], dim=-1).unbind(-1)
    rows = (
        (1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)),
        (2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)),
        (2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)),
    )
    rotation = torch.stack([torch.stack(row, dim=-1) for row in rows], dim=-2)
    focal = pose_encoding.new_tensor([width, height]) / 2 / (pose_encoding[:, [8, 7]] / 2).tan()
    intrinsics = torch.diag_embed(functional.pad(focal, (0, 1), value=1.0))
    intrinsics[:, :2, 2] = pose_encoding.new_tensor([width / 2, height / 2])
    return intrinsics, rotation, pose_encoding[:, :3]
