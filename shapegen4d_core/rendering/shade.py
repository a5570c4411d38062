"""Pictures of meshes: soft grey shading or normals as colours, antialiased by averaging samples. No gradients.

Pictures are RGBA float32 0..1 with straight alpha, and colour 0 where nothing is drawn. Light and normal colours are
fixed to the camera: x right, y up, z towards the viewer.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import normalize

from ..errors import InputError
from ..geometry.mesh import vertex_normals
from ..progress import Check, Progress, tick
from ..sequence import Camera, MeshSequence
from .rasterise import Raster, rasterise
from .samples import average
from .views import opencv_camera, sized_camera

STYLES = ("shaded", "normal")
_KEY_LIGHT = (-0.45, 0.65, 0.61)  # from the upper left, in front; unit length
_WRAP = 0.35  # how far the key light reaches around the shape, so that no part is black
_GROUND, _SKY, _KEY = 0.20, 0.38, 0.55  # strengths of light from below, from above and of the key light


def render_mesh(
    vertices: Tensor,
    faces: Tensor,
    normals: Tensor,
    camera: Camera,
    style: str = "shaded",
    supersampling: int = 2,
) -> Tensor:
    """Picture [H,W,4] of a mesh on its own device: vertices [V,3], faces [F,3], unit vertex normals [V,3].

    Each pixel is the mean of ``supersampling`` x ``supersampling`` samples. Faces seen from behind are lit as if they
    faced the viewer. Raises InputError for another style than "shaded" or "normal".
    """
    if style not in STYLES:
        raise InputError(f"style is {style!r}, accepted is 'shaded' or 'normal'.")
    fine = sized_camera(camera, (camera.height * supersampling, camera.width * supersampling))
    intrinsics, rotation, translation = opencv_camera(fine)
    raster = rasterise(vertices, faces, intrinsics, rotation, translation, (fine.height, fine.width))
    seen = raster.face_id >= 0
    to_view = (rotation * rotation.new_tensor([1.0, -1.0, -1.0])[:, None]).to(vertices)
    directions = _visible_normals(vertices, faces, normals, raster, seen, to_view, camera)  # [S,3]
    samples = vertices.new_zeros(*raster.face_id.shape, 4)
    samples[seen] = torch.cat([_colour(directions, style), vertices.new_ones(len(directions), 1)], dim=1)
    return average(samples, supersampling)


def render_sequence(
    sequence: MeshSequence,
    camera: Camera,
    size: int | tuple[int, int] | None = None,
    style: str = "shaded",
    device: str | torch.device = "cpu",
    progress: Progress | None = None,
    check: Check | None = None,
) -> Tensor:
    """Pictures [T,H,W,4] on the CPU of every frame through one camera; empty frames are transparent.

    ``size`` is (height, width) in pixels, one number for a square, None for the camera's own.
    Raises InputError for an unknown style or a bad size.
    """
    camera = sized_camera(camera, size)
    pictures = torch.zeros(sequence.frame_count, camera.height, camera.width, 4)
    for frame, (vertices, faces) in enumerate(zip(sequence.vertices, sequence.faces)):
        if sequence.normals is not None:
            normals = sequence.normals[frame]
        else:
            normals = vertex_normals(vertices, faces)
        arrays = (torch.from_numpy(array).to(device) for array in (vertices, faces, normals))
        pictures[frame] = render_mesh(*arrays, camera, style).cpu()
        tick(progress, check, frame + 1, sequence.frame_count)
    return pictures


def _visible_normals(
    vertices: Tensor, faces: Tensor, normals: Tensor, raster: Raster, seen: Tensor, to_view: Tensor, camera: Camera
) -> Tensor:
    """Unit normals [S,3] in view axes of the samples ``seen``, turned towards the viewer on faces seen from behind."""
    corners = faces[raster.face_id[seen]].long()  # [S,3]
    smooth = (normals[corners] * raster.barycentric[seen][..., None]).sum(dim=1)
    shape = vertices[corners]
    flat = torch.linalg.cross(shape[:, 1] - shape[:, 0], shape[:, 2] - shape[:, 0])
    eye = torch.from_numpy(camera.eye()).to(vertices)
    behind = ((eye - shape[:, 0]) * flat).sum(dim=1) < 0
    return normalize(torch.where(behind[:, None], -smooth, smooth) @ to_view.T, dim=1)


def _colour(directions: Tensor, style: str) -> Tensor:
    """Colour [S,3] of unit normals [S,3] in view axes."""
    if style == "normal":
        return directions * 0.5 + 0.5
    above = directions[:, 1] * 0.5 + 0.5
    key = ((directions @ directions.new_tensor(_KEY_LIGHT) + _WRAP) / (1 + _WRAP)).clamp(min=0)
    light = _GROUND + (_SKY - _GROUND) * above + _KEY * key
    return light.clamp(0, 1)[:, None].expand(-1, 3)

