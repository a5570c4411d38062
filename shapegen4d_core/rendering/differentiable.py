"""Pictures with gradients to vertices and cameras: interpolated attributes, and masks with soft outlines.

A rasteriser finds the face of every pixel without gradients; barycentric coordinates are computed again from that
face, and outlines are softened by ``antialias``. B views, V vertices, F faces, H x W pixels, C channels.
"""

from __future__ import annotations

import torch
from torch import Tensor

from .antialias import antialias
from .edges import Edges, mesh_edges
from .raster import Raster, to_camera
from .rasterise import rasterise_views


def interpolate(
    attributes: Tensor, vertices_in_camera: Tensor, faces: Tensor, raster: Raster, intrinsics: Tensor
) -> Tensor:
    """Attributes [V,C] of vertices seen in a picture: [H,W,C], 0 for background; differentiable in both.

    ``vertices_in_camera`` [V,3] are those the ``raster`` was drawn from, moved by R and t (``raster.to_camera``), K is
    [3,3]. For B views give [B,V,3], a raster of [B,H,W] and K [3,3] or [B,3,3]; attributes may be [B,V,C].
    """
    if raster.face_id.dim() == 2:
        one = Raster(raster.face_id[None], raster.barycentric[None], raster.depth[None])
        return interpolate(attributes, vertices_in_camera[None], faces, one, intrinsics)[0]
    view, row, column = (raster.face_id >= 0).nonzero().unbind(1)
    corners = faces.long()[raster.face_id[view, row, column]]  # [S,3]
    lens = intrinsics.to(vertices_in_camera).expand(len(raster.face_id), 3, 3)[view]
    rays = torch.stack([(column + 0.5 - lens[:, 0, 2]) / lens[:, 0, 0], (row + 0.5 - lens[:, 1, 2]) / lens[:, 1, 1]], 1)
    weights = _barycentric(vertices_in_camera[view[:, None], corners], rays)
    values = attributes[corners] if attributes.dim() == 2 else attributes[view[:, None], corners]  # [S,3,C]
    seen = (values * weights[..., None]).sum(dim=1)
    picture = seen.new_zeros(*raster.face_id.shape, seen.shape[1])
    return picture.index_put((view, row, column), seen)


def soft_mask(
    vertices: Tensor,
    faces: Tensor,
    intrinsics: Tensor,
    rotation: Tensor,
    translation: Tensor,
    size: tuple[int, int],
    edges: Edges | None = None,
    backend: str = "auto",
) -> Tensor:
    """Coverage [H,W] of ``vertices`` [V,3], ``faces`` [F,3]: 1 inside, soft along the outline, 0 outside.

    Differentiable in the vertices, R [3,3] and t [3]; K [3,3] in pixels, ``size`` (H, W). For B views at once give
    R [B,3,3], t [B,3], K [3,3] or [B,3,3], and vertices [V,3] or [B,V,3]: [B,H,W]. ``edges`` are
    ``mesh_edges(faces)``, worth keeping when the same faces are drawn many times. Raises InputError.
    """
    if rotation.dim() == 2:
        views = (vertices, faces, intrinsics, rotation[None], translation[None], size, edges, backend)
        return soft_mask(*views)[0]
    rotation, translation = rotation.to(vertices), translation.to(vertices)
    raster = rasterise_views(vertices, faces, intrinsics, rotation, translation, size, backend=backend)
    in_camera = to_camera(vertices, rotation, translation)
    hard = (raster.face_id >= 0).to(vertices.dtype)[..., None]
    lenses = intrinsics.to(vertices).expand(len(rotation), 3, 3)
    return antialias(hard, raster, in_camera, edges or mesh_edges(faces.to(vertices.device)), lenses)[..., 0]


def _barycentric(corners: Tensor, rays: Tensor) -> Tensor:
    """Perspective-correct weights [S,3] of ``corners`` [S,3,3] in camera space along the rays (a, b, 1) [S,2]."""
    x, y = (corners[..., :2] - corners[..., 2:] * rays[:, None]).unbind(-1)  # [S,3] each
    areas = [x[:, j] * y[:, k] - x[:, k] * y[:, j] for j, k in ((1, 2), (2, 0), (0, 1))]
    stacked = torch.stack(areas, dim=1)
    return stacked / stacked.sum(dim=1, keepdim=True)
