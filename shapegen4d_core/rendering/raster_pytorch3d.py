"""pytorch3d as a rasteriser, for those who have it and trust it: an adapter to its face numbers."""

from __future__ import annotations

import torch
from pytorch3d.renderer.mesh.rasterize_meshes import rasterize_meshes
from pytorch3d.structures import Meshes
from torch import Tensor

from .raster import Scene


def draw(scene: Scene) -> Tensor:
    """The entry [B*H*W] int64 that each pixel shows, -1 for none."""
    rays = scene.rays
    if len(scene.faces) == 0:  # which it takes for no pictures at all
        return torch.full((rays.views * rays.height * rays.width,), -1, device=rays.a.device)
    # its picture spans -1..1 along the shorter side, x to the left and y up
    shorter = min(rays.height, rays.width)
    middle = scene.in_camera.new_tensor([rays.width / 2, rays.height / 2])
    depth = scene.in_camera[..., 2:]
    pixels = scene.in_camera[..., :2] / depth * rays.focal.T[:, None] + rays.centre.T[:, None]
    points = torch.cat([(middle - pixels) * 2 / shorter, depth], dim=2)
    face_id, _, _, _ = rasterize_meshes(
        Meshes(list(points), [scene.faces] * rays.views),
        image_size=(rays.height, rays.width),
        blur_radius=0.0,
        faces_per_pixel=1,
        bin_size=0,  # every face for every pixel: exact, and without a limit on faces per bin
        perspective_correct=True,
        clip_barycentric_coords=False,
        cull_backfaces=False,
        z_clip_value=scene.near,
        cull_to_frustum=False,
    )
    return face_id[..., 0].reshape(-1)
