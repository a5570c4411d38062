"""Pictures of meshes: grey shading, normals as colours, silhouettes, textures with and without light. No gradients.

Pictures are RGBA float32 0..1 with straight alpha, and colour 0 where nothing is drawn, antialiased by averaging
samples. Light and normal colours are fixed to the camera: x right, y up, z towards the viewer.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import normalize

from ..errors import InputError
from ..progress import Check
from .rasterise import rasterise
from .samples import average, finer
from .texture import repeats, sample_texture

STYLES = ("shaded", "normal", "silhouette", "textured", "lit")
TEXTURED = ("textured", "lit")
LIT = ("shaded", "normal", "lit")  # those that need normals
_KEY_LIGHT = (-0.45, 0.65, 0.61)  # from the upper left, in front; unit length
_WRAP = 0.35  # how far the key light reaches around the shape, so that no part is black
_GROUND, _SKY, _KEY = 0.20, 0.38, 0.55  # strengths of light from below, from above and of the key light
_SAMPLES_AT_ONCE = 1 << 18  # larger pictures are drawn in bands: some 60 MB beside them, and soon cancelled


@dataclass(frozen=True)
class Surface:
    """A mesh ready to be drawn, all on one device: vertices [V,3], faces [F,3].

    Styles with light and "normal" need unit ``normals`` [V,3] of the vertices, textured styles ``uv`` [V,2] and
    ``texture`` [h,w,4] float 0..1 (see ``texture.texture_on``).
    """

    vertices: Tensor
    faces: Tensor
    normals: Tensor | None = None
    uv: Tensor | None = None
    texture: Tensor | None = None


def render_surface(
    surface: Surface,
    intrinsics: Tensor,
    rotation: Tensor,
    translation: Tensor,
    size: tuple[int, int],
    style: str = "shaded",
    supersampling: int = 2,
    check: Check | None = None,
    backend: str = "auto",
) -> Tensor:
    """Picture [H,W,4] of a surface through K [3,3], R [3,3], t [3] on its own device.

    Styles: "shaded" grey; "normal" in camera axes, 0..1 for -1..1; "silhouette" white; "textured" without light and
    "lit" with it. Each pixel is the mean of ``supersampling`` x ``supersampling`` samples. Faces seen from behind are
    lit as if they faced the viewer. ``check`` may raise to cancel; ``backend`` is one of ``backends.BACKENDS``. Raises
    InputError for another style and for normals or a texture that are missing.
    """
    check_style(style, surface.uv is not None and surface.texture is not None, surface.normals is not None)
    fine, (height, width) = finer(intrinsics, size, supersampling)
    rows = max(1, _SAMPLES_AT_ONCE // (width * supersampling)) * supersampling
    picture = torch.zeros(*size, 4, device=surface.vertices.device)
    for top in range(0, height, rows):
        lens = fine.clone()
        lens[1, 2] -= top
        band = _band(surface, lens, rotation, translation, (min(rows, height - top), width), style, backend)
        picture[top // supersampling : (top + rows) // supersampling] = average(band, supersampling)
        if check is not None:
            check()
    return picture


def _band(
    surface: Surface,
    intrinsics: Tensor,
    rotation: Tensor,
    translation: Tensor,
    size: tuple[int, int],
    style: str,
    backend: str,
) -> Tensor:
    """Samples [H,W,4] of a picture or a band of it."""
    raster = rasterise(surface.vertices, surface.faces, intrinsics, rotation, translation, size, backend=backend)
    pixel = (raster.face_id.view(-1) >= 0).nonzero()[:, 0]
    face, weights = raster.face_id.view(-1)[pixel], raster.barycentric.view(-1, 3)[pixel]
    samples = torch.zeros(len(raster.face_id.view(-1)), 4, device=pixel.device)
    samples[pixel] = _colours(surface, face, weights, rotation, translation, style).to(samples)
    return samples.view(*size, 4)


def check_style(style: str, has_texture: bool, has_normals: bool = True) -> None:
    """Raise InputError for a style that is unknown or needs a texture or normals that are not there."""
    if style not in STYLES:
        raise InputError(f"style is {style!r}, accepted are {', '.join(STYLES)}.")
    if style in TEXTURED and not has_texture:
        raise InputError(f"style is {style!r}, but these meshes have no texture; choose 'shaded'.")
    if style in LIT and not has_normals:
        raise InputError(f"style is {style!r}, but no normals are given; choose 'textured' or 'silhouette'.")


def _colours(
    surface: Surface, face: Tensor, weights: Tensor, rotation: Tensor, translation: Tensor, style: str
) -> Tensor:
    """Colours and alpha [S,4] of samples that show ``face`` [S] at the barycentric ``weights`` [S,3]."""
    ones = surface.vertices.new_ones(len(face), 1)
    if style == "silhouette":
        return ones.expand(-1, 4)
    corners = surface.faces.long()[face]
    if style in TEXTURED:
        colours = sample_texture(surface.texture, _blend(surface.uv, corners, weights), repeats(surface.uv))
    if style == "textured":
        return colours
    normals = _facing_normals(surface, face, corners, weights, rotation.to(surface.vertices), translation)
    if style == "normal":
        return torch.cat([normals * 0.5 + 0.5, ones], dim=1)
    light = _light(normals)
    if style == "shaded":
        return torch.cat([light.expand(-1, 3), ones], dim=1)
    return torch.cat([(colours[:, :3] * light / (_SKY + _KEY)).clamp(0, 1), colours[:, 3:]], dim=1)


def _blend(values: Tensor, corners: Tensor, weights: Tensor) -> Tensor:
    """Values [V,C] of the vertices at ``corners`` [S,3], blended by ``weights`` [S,3]: [S,C]."""
    parts = [values.index_select(0, corner) * weight[:, None] for corner, weight in zip(corners.T, weights.T)]
    return parts[0] + parts[1] + parts[2]


def _facing_normals(
    surface: Surface, face: Tensor, corners: Tensor, weights: Tensor, rotation: Tensor, translation: Tensor
) -> Tensor:
    """Unit normals [S,3] in view axes (y up, z to the viewer), turned to the viewer on faces seen from behind."""
    shape = surface.vertices[surface.faces.long()]  # [F,3,3]
    flat = torch.linalg.cross(shape[:, 1] - shape[:, 0], shape[:, 2] - shape[:, 0])
    eye = -translation.to(shape) @ rotation
    side = torch.where(((eye - shape[:, 0]) * flat).sum(dim=1) < 0, -1.0, 1.0).to(shape)  # [F]
    to_view = rotation * rotation.new_tensor([1.0, -1.0, -1.0])[:, None]
    return normalize(_blend(surface.normals, corners, weights) * side[face][:, None] @ to_view.T, dim=1)


def _light(normals: Tensor) -> Tensor:
    """Brightness [S,1] 0..1 of unit normals [S,3] in view axes under the sky, the ground and the key light."""
    above = normals[:, 1] * 0.5 + 0.5
    key = ((normals @ normals.new_tensor(_KEY_LIGHT) + _WRAP) / (1 + _WRAP)).clamp(min=0)
    return (_GROUND + (_SKY - _GROUND) * above + _KEY * key).clamp(0, 1)[:, None]
