"""One number for how well a pose explains the clip, and the parts it is made of."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .edges import edge_disagreement
from .outline import outline_scores
from .scene import Level, Scene
from .shading import Lighting, brightness, fit_light, lit_frame
from .similarity import PictureSimilarity

SHADING_WEIGHT = 0.3
EDGE_WEIGHT = 0.1
SIMILARITY_WEIGHT = 1.0
SIMILARITY_SIDE = 224  # pixels of the pictures a network compares
_FLOATS_AT_ONCE = 1 << 25  # working memory of one call
_FLOATS_PER_PIXEL = 48


@dataclass(frozen=True, eq=False)
class Verdict:
    """Costs [N] of N poses, lower is better: their weighted ``total`` and the parts; ``iou`` [N] is a mean of frames.

    ``outline`` is 1 - IoU plus misses by distance; ``shading`` the share of the brightness left unexplained;
    ``edges`` 1 - correlation of lines; ``similarity`` a network's distance. Parts that were not asked for are 0.
    """

    total: Tensor
    iou: Tensor
    outline: Tensor
    shading: Tensor
    edges: Tensor
    similarity: Tensor

    def row(self, number: int) -> dict[str, float]:
        """One pose's values for a report."""
        names = ("total", "iou", "outline", "shading", "edges", "similarity")
        return {name: round(float(getattr(self, name)[number]), 5) for name in names}


class Judge:
    """Compares poses with a scene. ``appearance``: look inside the outline too; ``similarity``: a network, or None."""

    def __init__(self, scene: Scene, appearance: bool, similarity: PictureSimilarity | None = None):
        self.scene, self.appearance, self.similarity = scene, appearance, similarity
        self._reference: dict[int, Tensor] = {}

    def __call__(self, poses: Tensor, frames: list[int], longest: int) -> Verdict:
        """The verdict on poses [N,6] over ``frames`` at a picture side of ``longest`` pixels."""
        outline = outline_scores(self.scene, poses, frames, longest)
        nothing = torch.zeros_like(outline.cost)
        shading, edges, alike = nothing, nothing, nothing
        if self.appearance:
            parts = [self._inside(chunk, frames, longest) for chunk in poses.split(self._chunk(frames, longest))]
            shading, edges = (torch.cat(column) for column in zip(*parts))
        if self.similarity is not None:
            alike = self._alike(poses, frames[0])
        total = outline.cost + SHADING_WEIGHT * shading + EDGE_WEIGHT * edges + SIMILARITY_WEIGHT * alike
        return Verdict(total, outline.iou.mean(dim=1), outline.cost, shading, edges, alike)

    def _chunk(self, frames: list[int], longest: int) -> int:
        height, width = self.scene.level(longest).size
        return max(1, _FLOATS_AT_ONCE // (_FLOATS_PER_PIXEL * height * width * len(frames)))

    def _lit(self, poses: Tensor, frames: list[int], level: Level) -> Lighting:
        lit = [lit_frame(self.scene, level, poses, frame) for frame in frames]
        return fit_light(self.scene, level, poses, frames, lit)

    def _inside(self, poses: Tensor, frames: list[int], longest: int) -> tuple[Tensor, Tensor]:
        level = self.scene.level(longest)
        lighting = self._lit(poses, frames, level)
        return lighting.error, edge_disagreement(level, frames, lighting.frames)

    def _alike(self, poses: Tensor, frame: int) -> Tensor:
        """The network's distance [N] between renders in the fitted light and the picture of one frame."""
        level = self.scene.level(SIMILARITY_SIDE)
        if frame not in self._reference:
            self._reference[frame] = self.similarity.embed(straight(self.scene.pictures[frame : frame + 1]))
        distances = []
        for chunk in poses.split(self._chunk([frame], SIMILARITY_SIDE)):
            pictures = self.pictures(chunk, frame, level)
            distances.append(self.similarity.distance(self.similarity.embed(pictures), self._reference[frame]))
        return torch.cat(distances).to(poses.device).float()

    def pictures(self, poses: Tensor, frame: int, level: Level) -> Tensor:
        """Grey renders [N,h,w,4] of one frame in the light that explains the picture best; straight alpha."""
        lighting = self._lit(poses, [frame], level)
        grey = brightness(lighting.frames[0], lighting.light).clamp(0, 1)
        seen = (lighting.frames[0].raster.face_id >= 0).to(grey)
        return torch.cat([(grey * seen)[..., None].expand(*grey.shape, 3), seen[..., None]], -1)


def straight(pictures: Tensor) -> Tensor:
    """Pictures [B,H,W,4] with straight alpha from colour times alpha."""
    alpha = pictures[..., 3:]
    return torch.cat([(pictures[..., :3] / alpha.clamp(min=1e-3)).clamp(0, 1), alpha], -1)
