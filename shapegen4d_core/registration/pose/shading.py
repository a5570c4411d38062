"""Does the render explain the brightness inside the outline? Unknown light is fitted, so no light has to be known.

Under any distant light a body of one colour has a brightness that is close to a quadratic polynomial of its normal
(nine spherical harmonics; Ramamoorthi and Hanrahan 2001, Basri and Jacobs 2003). One such light is fitted for all
frames of a clip and each pose, robustly, since real bodies have patterns. N poses, M frames, h x w pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import normalize

from ...rendering.raster import Raster
from .filters import shrunk
from .poses import rotations
from .scene import Level, Scene, Shape

TERMS = 9
_ROUNDS = 2  # of reweighting
_RIDGE = 1e-3  # keeps lights finite when few directions are seen
_LEAST_PIXELS = 20  # below it nothing can be said about shading
_LEAST_VARIANCE = 1e-4  # of the luminance; a flat picture says nothing


def basis(normals: Tensor) -> Tensor:
    """The nine terms [...,9] of unit normals [...,3] in camera axes (not normalised: the fit does not care)."""
    x, y, z = normals.unbind(-1)
    return torch.stack([torch.ones_like(x), x, y, z, x * y, x * z, y * z, x * x - y * y, 3 * z * z - 1], -1)


def basis_change(normals: Tensor, turning: Tensor) -> Tensor:
    """Change [...,9] of the basis when normals [...,3] move by ``turning`` [...,3]."""
    x, y, z = normals.unbind(-1)
    dx, dy, dz = turning.unbind(-1)
    mixed = (x * dy + y * dx, x * dz + z * dx, y * dz + z * dy)
    return torch.stack([torch.zeros_like(x + dx), dx + 0 * x, dy + 0 * x, dz + 0 * x, *mixed,
                        2 * (x * dx - y * dy), 6 * z * dz], -1)  # fmt: skip


def camera_normals(shape: Shape, raster: Raster, poses: Tensor) -> Tensor:
    """Smooth unit normals [N,h,w,3] in camera axes, turned towards the viewer; 0 where nothing is drawn."""
    corners = shape.faces[raster.face_id.clamp(min=0)]
    smooth = (shape.normals[corners] * raster.barycentric[..., None]).sum(dim=-2)
    turned = normalize(torch.einsum("nij,nhwj->nhwi", rotations(poses).to(smooth), smooth), dim=-1)
    return turned * (raster.face_id >= 0)[..., None]


@dataclass(frozen=True, eq=False)
class LitFrame:
    """One frame under N poses: what is drawn, normals [N,h,w,3], the basis [N,h,w,9], where it counts [N,h,w] 0..1."""

    raster: Raster
    normals: Tensor
    basis: Tensor
    weight: Tensor


@dataclass(frozen=True, eq=False)
class Lighting:
    """Fitted ``light`` [N,9], frames with robust weights, mean squared ``error`` [N] as a share of the variance."""

    light: Tensor
    frames: list[LitFrame]
    error: Tensor
    variance: Tensor


def lit_frame(scene: Scene, level: Level, poses: Tensor, frame: int, raster: Raster | None = None) -> LitFrame:
    """Render the normals of one frame; only pixels well inside both outlines count."""
    raster = raster or scene.raster(poses, frame, level)
    normals = camera_normals(scene.shape(frame, level), raster, poses)
    inside = shrunk(level.outline[frame] > 0.95, 1) & level.plate
    counted = (raster.face_id >= 0) & inside
    return LitFrame(raster, normals, basis(normals), counted.to(normals))


def fit_light(scene: Scene, level: Level, poses: Tensor, frames: list[int], lit: list[LitFrame]) -> Lighting:
    """One light per pose for all frames by reweighted least squares (Geman-McClure)."""
    weights = [part.weight for part in lit]
    light = _solve(lit, weights, level, frames)
    for _ in range(_ROUNDS):
        left = [level.luminance[frame] - (part.basis @ light[:, None, :, None])[..., 0]
                for frame, part in zip(frames, lit)]  # fmt: skip
        total = sum(part.weight.sum(dim=(1, 2)) for part in lit).clamp(min=1)
        spread = sum((part.weight * rest**2).sum(dim=(1, 2)) for part, rest in zip(lit, left)) / total
        scale = (4 * spread + 1e-6)[:, None, None]
        weights = [part.weight / (1 + rest**2 / scale) ** 2 for part, rest in zip(lit, left)]
        light = _solve(lit, weights, level, frames)
    frames_out = [LitFrame(part.raster, part.normals, part.basis, weight) for part, weight in zip(lit, weights)]
    error, variance = _error(frames_out, light, level, frames)
    return Lighting(light, frames_out, error, variance)


def brightness(part: LitFrame, light: Tensor) -> Tensor:
    """Rendered brightness [N,h,w] of one frame under lights [N,9]."""
    return torch.einsum("nhwk,nk->nhw", part.basis, light)


def _solve(lit: list[LitFrame], weights: list[Tensor], level: Level, frames: list[int]) -> Tensor:
    gram, right = 0.0, 0.0
    for part, weight, frame in zip(lit, weights, frames):
        weighted = (part.basis * weight[..., None]).flatten(1, 2)
        gram = gram + weighted.transpose(1, 2) @ part.basis.flatten(1, 2)
        right = right + level.luminance[frame].flatten() @ weighted
    ridge = _RIDGE * gram.diagonal(dim1=1, dim2=2).amax(dim=1).clamp(min=1.0)
    return torch.linalg.solve(gram + ridge[:, None, None] * torch.eye(TERMS).to(gram), right)


def _error(lit: list[LitFrame], light: Tensor, level: Level, frames: list[int]) -> tuple[Tensor, Tensor]:
    """Weighted squared error as a share of the picture's variance inside its outline [N], and that variance."""
    squared = sum((part.weight * (level.luminance[frame] - brightness(part, light)) ** 2).sum(dim=(1, 2))
                  for frame, part in zip(frames, lit))  # fmt: skip
    total = sum(part.weight.sum(dim=(1, 2)) for part in lit)
    variance = luminance_variance(level, frames)
    share = (squared / total.clamp(min=1) / variance).clamp(max=1)
    return torch.where(total > _LEAST_PIXELS, share, torch.ones_like(share)), variance


def luminance_variance(level: Level, frames: list[int]) -> Tensor:
    """Variance of the luminance inside the outlines over all ``frames``, kept from vanishing."""
    inside = level.outline[frames] > 0.95
    values = level.luminance[frames][inside]
    return (values.var() if len(values) > 1 else level.luminance.new_zeros(())).clamp(min=_LEAST_VARIANCE)
