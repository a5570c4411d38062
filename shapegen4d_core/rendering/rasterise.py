"""Which face each pixel shows, in one view or in many at once. No gradients; see ``differentiable``.

The rasterisers behind it show the same face in a pixel (see ``backends``; ``raster`` has the arithmetic); barycentric
coordinates and depth are always computed from that face in torch.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..errors import InputError
from .backends import drawer
from .raster import Raster, Rays, Scene, resolve, to_camera

__all__ = ["Raster", "rasterise", "rasterise_views"]

_ENTRIES_AT_ONCE = 1 << 19  # faces of views that are held in camera space at a time, about 250 bytes each


def rasterise(
    vertices: Tensor,
    faces: Tensor,
    intrinsics: Tensor,
    rotation: Tensor,
    translation: Tensor,
    size: tuple[int, int],
    near: float = 1e-4,
    samples_at_once: int | None = None,
    backend: str = "auto",
) -> Raster:
    """Draw ``vertices`` [V,3] and ``faces`` [F,3] with K [3,3], R [3,3], t [3] into a picture of ``size`` (H, W).

    Parts nearer than ``near`` are cut away. ``backend`` is one of ``backends.BACKENDS``; torch handles faces in chunks
    of at most ``samples_at_once`` samples, and never fewer than one face: memory is bounded by about 150 bytes times
    the larger of that and H x W. The result does not depend on the chunks or the backend.
    Raises InputError for shapes that do not fit, a skewed K and a backend that cannot draw here.
    """
    _check_shapes(vertices, (2,), faces)
    views = rasterise_views(
        vertices, faces, intrinsics, rotation[None], translation[None], size, near, samples_at_once, backend
    )
    return Raster(views.face_id[0], views.barycentric[0], views.depth[0])


@torch.no_grad()
def rasterise_views(
    vertices: Tensor,
    faces: Tensor,
    intrinsics: Tensor,
    rotations: Tensor,
    translations: Tensor,
    size: tuple[int, int],
    near: float = 1e-4,
    samples_at_once: int | None = None,
    backend: str = "auto",
) -> Raster:
    """Draw a mesh from B views R [B,3,3], t [B,3] at once; the fields of the raster have a leading B.

    ``vertices`` are [V,3] or, for a mesh that moves, [B,V,3]; ``faces`` [F,3]; K is [3,3] or [B,3,3]. Everything else
    is as in :func:`rasterise`, and a view comes out bit by bit as if it were drawn alone. The result takes 24 bytes
    per pixel, the work in between no more than about 150 MB on top. Raises InputError.
    """
    _check_shapes(vertices, (2, 3), faces)
    intrinsics, rotations, translations = _check_cameras(vertices, intrinsics, rotations, translations, size)
    faces = faces.to(vertices.device).long()
    draw = drawer(backend, vertices, samples_at_once)
    count = max(1, _ENTRIES_AT_ONCE // max(1, len(faces)))
    found = []
    for start in range(0, len(rotations), count):
        group = slice(start, start + count)
        moved = vertices if vertices.dim() == 2 else vertices[group]
        in_camera = to_camera(moved, rotations[group], translations[group])
        scene = Scene(in_camera, faces, Rays(intrinsics[group], size), near)
        found.append(resolve(scene, draw(scene)))
    if len(found) == 1:
        return found[0]
    return Raster(*(torch.cat([getattr(part, name) for part in found]) for name in ("face_id", "barycentric", "depth")))


def _check_shapes(vertices: Tensor, dimensions: tuple[int, ...], faces: Tensor) -> None:
    for name, tensor, accepted in (("vertices", vertices, dimensions), ("faces", faces, (2,))):
        if tensor.dim() not in accepted or tensor.shape[-1] != 3:
            views = " or [views, count, 3]" if 3 in accepted else ""
            raise InputError(f"{name} has shape {list(tensor.shape)}, accepted is [count, 3]{views}.")
    if not vertices.is_floating_point():
        raise InputError(f"vertices are {vertices.dtype}, accepted is a floating-point tensor.")


def _check_cameras(
    vertices: Tensor, intrinsics: Tensor, rotations: Tensor, translations: Tensor, size: tuple[int, int]
) -> tuple[Tensor, Tensor, Tensor]:
    """K [B,3,3], R [B,3,3] and t [B,3] in the type and on the device of the vertices."""
    if min(size) < 1:
        raise InputError(f"size is {size[0]} x {size[1]} pixels, accepted is at least 1 x 1.")
    count = len(rotations)
    if rotations.shape != (count, 3, 3) or translations.shape != (count, 3) or count == 0:
        shapes = f"{list(rotations.shape)} and {list(translations.shape)}"
        raise InputError(f"rotations and translations have shapes {shapes}, accepted are [B,3,3] and [B,3].")
    if vertices.dim() == 3 and len(vertices) != count:
        raise InputError(f"vertices are given for {len(vertices)} views and cameras for {count}; give one count.")
    if intrinsics.shape not in ((3, 3), (count, 3, 3)):
        raise InputError(f"intrinsics have shape {list(intrinsics.shape)}, accepted is [3,3] or one per view.")
    intrinsics = intrinsics.expand(count, 3, 3)
    if bool((intrinsics[:, 0, 1] != 0).any()) or bool((intrinsics.diagonal(dim1=1, dim2=2)[:, :2] <= 0).any()):
        raise InputError("intrinsics must have positive focal lengths and no skew.")
    return intrinsics.to(vertices), rotations.to(vertices), translations.to(vertices)
