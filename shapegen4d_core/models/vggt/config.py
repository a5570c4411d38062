"""Sizes of a VGGT network, read off its tensors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ...errors import InputError
from ..vit import BlockConfig, ViTConfig

POSE_SIZE = 9
"""Numbers per camera: translation, quaternion xyzw, vertical and horizontal field of view."""
TAPPED = {24: (4, 11, 17, 23)}
"""Which blocks the point head of a published depth reads; other depths are read at the end of each quarter."""

Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True)
class VGGTConfig:
    """Sizes of VGGT; the defaults are those of the published 1B model.

    ``side``: patches per side of the position table; ``tapped``: the four blocks the point head reads;
    ``point_channels``: channels of its four levels, ``point_features`` after them.
    """

    width: int = 1024
    heads: int = 16
    hidden: int = 4096
    depth: int = 24
    picture_depth: int = 24
    patch: int = 14
    side: int = 37
    registers: int = 4
    tapped: tuple[int, ...] = TAPPED[24]
    point_channels: tuple[int, ...] = (256, 512, 1024, 1024)
    point_features: int = 256
    camera_depth: int = 4
    camera_hidden: int = 8192

    @property
    def special(self) -> int:
        """Tokens of each picture before its patches: one for the camera, then the registers."""
        return 1 + self.registers

    def picture_encoder(self) -> ViTConfig:
        """The DINOv2 that turns pictures into patch tokens."""
        block = BlockConfig(self.width, self.heads, self.hidden, eps=1e-6)
        return ViTConfig(block, self.picture_depth, self.patch, self.side, self.registers)

    def block(self) -> BlockConfig:
        """A block of the aggregator."""
        return BlockConfig(self.width, self.heads, self.hidden, head_norm=True)

    def camera_block(self) -> BlockConfig:
        """A block of the camera head."""
        return BlockConfig(2 * self.width, self.heads, self.camera_hidden)


def config_of(shapes: Shapes) -> VGGTConfig:
    """The configuration of published tensors; raises InputError naming the first tensor that is not there."""
    stem = "aggregator.patch_embed."
    width, _, patch, _ = _shape(shapes, stem + "patch_embed.proj.weight")
    depth = _count(shapes, "aggregator.frame_blocks.")
    levels = [_shape(shapes, f"point_head.projects.{level}.weight")[0] for level in range(4)]
    return VGGTConfig(
        width=width,
        heads=width // _shape(shapes, "aggregator.frame_blocks.0.attn.q_norm.weight")[0],
        hidden=_shape(shapes, "aggregator.frame_blocks.0.mlp.fc1.weight")[0],
        depth=depth,
        picture_depth=_count(shapes, stem + "blocks."),
        patch=patch,
        side=round((_shape(shapes, stem + "pos_embed")[1] - 1) ** 0.5),
        registers=_shape(shapes, "aggregator.register_token")[2],
        tapped=TAPPED.get(depth, tuple(depth * quarter // 4 - 1 for quarter in (1, 2, 3, 4))),
        point_channels=tuple(levels),
        point_features=_shape(shapes, "point_head.scratch.layer1_rn.weight")[0],
        camera_depth=_count(shapes, "camera_head.trunk."),
        camera_hidden=shapes.get("camera_head.trunk.0.mlp.fc1.weight", (8 * width,))[0],
    )


def _shape(shapes: Shapes, name: str) -> tuple[int, ...]:
    if name not in shapes:
        raise InputError(f"These are not the weights of VGGT: there is no tensor {name}.")
    return shapes[name]


def _count(shapes: Shapes, prefix: str) -> int:
    indices = (name[len(prefix) :].split(".", 1)[0] for name in shapes if name.startswith(prefix))
    return 1 + max((int(index) for index in indices if index.isdigit()), default=-1)
