"""What a rasteriser is given and what it gives: faces in camera space, rays, and a face for every pixel.

Camera in OpenCV form: ``x_camera = R @ x_world + t`` with x right, y down, z forward; pixel (u, v) = (fx x/z + cx,
fy y/z + cy), and the pixel in row i and column j has its centre at (j + 0.5, i + 0.5). Both sides of a face are
drawn. B views, V vertices, F faces, H x W pixels; N = B F entries, the faces of all views one after the other.

Along the ray (a, b, 1) through a pixel, shear the camera space so that the ray becomes the z axis. A corner p then
lies at d = p.xy - p.z (a, b), and the corners' perspective-correct barycentric coordinates are the areas d_j x d_k,
normalised. Faces that share an edge compute the same area there with opposite sign, so no pixel falls between them,
and nothing is divided by z, so faces may reach behind the camera.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

SLACK = 1e-3  # pixels by which boxes are widened against rounding; the exact test follows


@dataclass(frozen=True)
class Raster:
    """What each pixel of a picture, or of B pictures [B,H,W], shows.

    ``face_id`` [H,W] int64, -1 for background; ``barycentric`` [H,W,3] perspective-correct weights of the face's
    corners, 0 for background; ``depth`` [H,W] z in camera space, -1 for background.
    """

    face_id: Tensor
    barycentric: Tensor
    depth: Tensor


class Rays:
    """Directions (a, b, 1) through the pixel centres of B views with K [B,3,3]: ``a`` [B,W], ``b`` [B,H]."""

    def __init__(self, intrinsics: Tensor, size: tuple[int, int]) -> None:
        self.height, self.width = size
        self.focal = torch.stack([intrinsics[:, 0, 0], intrinsics[:, 1, 1]])  # [2,B]
        self.centre = intrinsics[:, :2, 2].T  # [2,B]
        places = [torch.arange(count, device=intrinsics.device) + 0.5 for count in (self.width, self.height)]
        self.a, self.b = ((place - c[:, None]) / f[:, None] for place, c, f in zip(places, self.centre, self.focal))

    def through(self, view: Tensor, row: Tensor, column: Tensor) -> tuple[Tensor, Tensor]:
        """Directions a [S] and b [S] through pixels of views."""
        a = self.a.reshape(-1).index_select(0, view * self.width + column)
        return a, self.b.reshape(-1).index_select(0, view * self.height + row)

    @property
    def views(self) -> int:
        """Number of views B."""
        return self.a.shape[0]


@dataclass(frozen=True)
class Scene:
    """What is drawn in B views: vertices ``in_camera`` [B,V,3], ``faces`` [F,3] int64, the ``rays`` of the pixels.

    Nothing is drawn before the depth ``near``.
    """

    in_camera: Tensor
    faces: Tensor
    rays: Rays
    near: float


def to_camera(vertices: Tensor, rotation: Tensor, translation: Tensor) -> Tensor:
    """``vertices`` [V,3] or [B,V,3] in the camera spaces R [B,3,3], t [B,3]: [B,V,3], differentiable.

    Written out so that a view's values do not depend on which others are drawn with it.
    """
    columns = rotation.transpose(1, 2)[:, :, None]  # [B,3,1,3]
    x, y, z = vertices.unsqueeze(-1).unbind(-2)
    return x * columns[:, 0] + y * columns[:, 1] + z * columns[:, 2] + translation[:, None]


def areas_and_depth(
    corners: Sequence[Tensor], a: Tensor, b: Tensor
) -> tuple[tuple[Tensor, Tensor, Tensor], Tensor]:
    """Unnormalised barycentric areas [S] of three ``corners`` xyz x [3,S] along rays (a, b, 1) [S], and depths [S]."""
    x, y, z = corners
    x, y = x - z * a, y - z * b
    areas = tuple(x[j] * y[k] - x[k] * y[j] for j, k in ((1, 2), (2, 0), (0, 1)))
    depth = (areas[0] * z[0] + areas[1] * z[1] + areas[2] * z[2]) / (areas[0] + areas[1] + areas[2])
    return areas, depth


def resolve(scene: Scene, entries: Tensor) -> Raster:
    """The raster [B,H,W] of the entry [B*H*W] (or -1) that each pixel shows, whichever rasteriser found it."""
    rays, size = scene.rays, (scene.rays.views, scene.rays.height, scene.rays.width)
    pixel = (entries >= 0).nonzero()[:, 0]
    view, row, column = pixel // (rays.height * rays.width), pixel // rays.width % rays.height, pixel % rays.width
    face = entries[pixel] - view * len(scene.faces)
    vertex = (scene.faces.index_select(0, face) + view[:, None] * scene.in_camera.shape[1]).T.reshape(-1)  # [3S]
    corners = scene.in_camera.reshape(-1, 3).index_select(0, vertex).T.reshape(3, 3, -1)
    areas, near = areas_and_depth(corners, *rays.through(view, row, column))
    stacked = torch.stack(areas, dim=1)
    face_id = torch.full_like(entries, -1).index_put((pixel,), face)
    barycentric = stacked.new_zeros(len(entries), 3).index_put((pixel,), stacked / stacked.sum(dim=1, keepdim=True))
    depth = near.new_full((len(entries),), -1.0).index_put((pixel,), near)
    return Raster(face_id.view(size), barycentric.view(*size, 3), depth.view(size))
