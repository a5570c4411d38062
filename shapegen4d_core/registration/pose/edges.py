"""Do lines inside the outline agree: steps of brightness in the picture, creases and overlaps in the render."""

from __future__ import annotations

import torch
from torch import Tensor

from .filters import blurred, shrunk
from .scene import Level
from .shading import LitFrame

_SOFTEN = 1.5  # pixels by which lines may miss each other
_BORDER = 2  # pixels next to either outline that do not count: the outline itself is judged elsewhere
_DEPTH_STEP = 0.05  # relative step of depth that counts as a full line


def edge_disagreement(level: Level, frames: list[int], lit: list[LitFrame]) -> Tensor:
    """1 minus the correlation [N] (0 when there is none) of both line pictures over all frames."""
    sums = 0.0
    for frame, part in zip(frames, lit):
        seen = part.raster.face_id >= 0
        inside = shrunk(level.outline[frame] > 0.95, _BORDER) & level.plate & shrunk(seen, _BORDER)
        drawn = blurred(render_lines(part), _SOFTEN)
        filmed = blurred(_steps(blurred(level.luminance[frame], 0.7)[None]), _SOFTEN)[0].expand_as(drawn)
        weight = inside.to(drawn)
        terms = (torch.ones_like(drawn), drawn, filmed, drawn**2, filmed**2, drawn * filmed)
        sums = sums + torch.stack([(weight * term).sum(dim=(1, 2)) for term in terms], 0)
    count = sums[0].clamp(min=1)
    mean_drawn, mean_filmed = sums[1] / count, sums[2] / count
    covariance = sums[5] / count - mean_drawn * mean_filmed
    spread = (sums[3] / count - mean_drawn**2).clamp(min=0) * (sums[4] / count - mean_filmed**2).clamp(min=0)
    correlation = covariance / (spread.sqrt() + 1e-8)
    return 1 - torch.where(sums[0] > 20, correlation, torch.zeros_like(correlation)).clamp(min=0)


def render_lines(part: LitFrame) -> Tensor:
    """Strength [N,h,w] of creases (turning of the normal between pixels) and overlaps (steps of depth)."""
    turning = sum(_steps(part.normals[..., axis]) ** 2 for axis in range(3)).sqrt()
    seen = part.raster.face_id >= 0
    depth = torch.where(seen, part.raster.depth, torch.ones_like(part.raster.depth)).log()
    overlap = (_steps(depth) / _DEPTH_STEP).clamp(max=1)
    return turning.clamp(max=1) + overlap


def _steps(pictures: Tensor) -> Tensor:
    """Length [N,h,w] of central differences."""
    across, down = torch.zeros_like(pictures), torch.zeros_like(pictures)
    across[..., 1:-1] = (pictures[..., 2:] - pictures[..., :-2]) / 2
    down[..., 1:-1, :] = (pictures[..., 2:, :] - pictures[..., :-2, :]) / 2
    return (across**2 + down**2 + 1e-12).sqrt()
