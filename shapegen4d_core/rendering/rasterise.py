"""Which face each pixel shows: a z-buffer filled by an integer scatter-minimum, on any torch device.

Camera in OpenCV form: ``x_camera = R @ x_world + t`` with x right, y down, z forward; pixel (u, v) = (fx x/z + cx,
fy y/z + cy), and the pixel in row i and column j has its centre at (j + 0.5, i + 0.5). Both sides of a face are
drawn. V vertices, F faces, H x W pixels, S candidate samples (a face and a pixel inside its screen box).

How: along the ray (a, b, 1) through a pixel, shear the camera space so that the ray becomes the z axis. A corner p
then lies at d = p.xy - p.z (a, b), and the corners' perspective-correct barycentric coordinates are the areas
d_j x d_k, normalised. Faces that share an edge compute the same area there with opposite sign, so no pixel falls
between them, and nothing is divided by z, so faces may reach behind the camera. Depth (a positive float, whose bits
sort like an integer) and face number share one 64-bit key; the smallest key of a pixel wins.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..errors import InputError

_EMPTY = torch.iinfo(torch.int64).max  # key of a pixel without a face
_SLACK = 1e-3  # pixels by which boxes are widened against rounding; the exact test follows


@dataclass(frozen=True)
class Raster:
    """What each pixel of a picture shows.

    ``face_id`` [H,W] int64, -1 for background; ``barycentric`` [H,W,3] perspective-correct weights of the face's
    corners, 0 for background; ``depth`` [H,W] z in camera space, -1 for background.
    """

    face_id: Tensor
    barycentric: Tensor
    depth: Tensor


def rasterise(
    vertices: Tensor,
    faces: Tensor,
    intrinsics: Tensor,
    rotation: Tensor,
    translation: Tensor,
    size: tuple[int, int],
    near: float = 1e-4,
    samples_at_once: int | None = None,
) -> Raster:
    """Draw ``vertices`` [V,3] and ``faces`` [F,3] with K [3,3], R [3,3], t [3] into a picture of ``size`` (H, W).

    Parts nearer than ``near`` are cut away. Faces are handled in chunks of at most ``samples_at_once`` samples, and
    never fewer than one face: memory is bounded by about 150 bytes times the larger of that and H x W.
    The result does not depend on the chunks. Raises InputError for shapes that do not fit and a skewed K.
    """
    _check_shapes(vertices, faces, intrinsics, size)
    rays = _Rays(intrinsics.to(vertices), size)
    in_view = vertices @ rotation.to(vertices).T + translation.to(vertices)
    corners = in_view[faces.long()].permute(2, 1, 0).contiguous()  # [xyz,3,F]: arithmetic runs along faces
    boxes = _boxes(corners, rays, near)
    keys = torch.full((rays.height * rays.width,), _EMPTY, dtype=torch.int64, device=vertices.device)
    for chunk in _chunks(boxes, samples_at_once or _default_samples(vertices.device)):
        face, row, column = _samples(boxes, chunk)
        areas, depth = _areas_and_depth(corners, face, rays, row, column)
        low, high = areas[0].minimum(areas[1]).minimum(areas[2]), areas[0].maximum(areas[1]).maximum(areas[2])
        hit = (((low >= 0) | (high <= 0)) & (depth > near)).nonzero()[:, 0]
        bits = depth[hit].float().view(torch.int32).long()
        pixel = row[hit] * rays.width + column[hit]
        keys.scatter_reduce_(0, pixel, (bits << 32) | face[hit], "amin")
    return _resolve(keys, corners, rays)


class _Rays:
    """Directions (a, b, 1) through the pixel centres: ``a`` [W] by column, ``b`` [H] by row."""

    def __init__(self, intrinsics: Tensor, size: tuple[int, int]) -> None:
        self.height, self.width = size
        self.focal = torch.stack([intrinsics[0, 0], intrinsics[1, 1]])
        self.centre = intrinsics[:2, 2]
        self.a = (torch.arange(self.width, device=intrinsics.device) + 0.5 - self.centre[0]) / self.focal[0]
        self.b = (torch.arange(self.height, device=intrinsics.device) + 0.5 - self.centre[1]) / self.focal[1]


def _boxes(corners: Tensor, rays: _Rays, near: float) -> Tensor:
    """First column, first row, columns and rows [4,F] whose pixel centres may lie inside each face."""
    depth = corners[2]
    pixels = corners[:2] / depth * rays.focal[:, None, None] + rays.centre[:, None, None]  # [2,3,F]
    low, high = pixels.amin(dim=1) - 0.5 - _SLACK, pixels.amax(dim=1) - 0.5 + _SLACK
    crosses = (depth <= near).any(dim=0) | ~(low + high).isfinite().all(dim=0)  # its picture has no finite box
    limit = low.new_tensor([[rays.width], [rays.height]])
    first = torch.where(crosses, 0, low).clamp(min=0).minimum(limit).ceil()
    stop = torch.where(crosses, limit, high.floor() + 1).clamp(min=0).minimum(limit)
    extent = (stop - first).clamp(min=0) * (depth > near).any(dim=0)
    return torch.cat([first, extent]).long()


def _chunks(boxes: Tensor, samples_at_once: int) -> list[Tensor]:
    """Groups of face numbers with at most ``samples_at_once`` box pixels each; empty boxes are left out."""
    counts = boxes[2] * boxes[3]
    faces = counts.nonzero()[:, 0]
    ends = counts[faces].cumsum(0).cpu()
    groups, start = [], 0
    while start < len(faces):
        limit = samples_at_once + (int(ends[start - 1]) if start else 0)
        stop = max(start + 1, int(torch.searchsorted(ends, limit, right=True)))
        groups.append(faces[start:stop])
        start = stop
    return groups


def _samples(boxes: Tensor, chunk: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Every face [S] of ``chunk`` with the row [S] and column [S] of every pixel of its box."""
    left, top, columns, rows = boxes[:, chunk]
    counts = columns * rows
    which = torch.repeat_interleave(counts)  # [S] position in the chunk
    within = torch.arange(len(which), device=boxes.device) - (counts.cumsum(0) - counts)[which]
    columns = columns[which]
    row = within // columns
    return chunk[which], top[which] + row, left[which] + within - row * columns


def _areas_and_depth(
    corners: Tensor, face: Tensor, rays: _Rays, row: Tensor, column: Tensor
) -> tuple[tuple[Tensor, Tensor, Tensor], Tensor]:
    """Three unnormalised barycentric areas [S] and depth [S] of faces along the rays through pixels."""
    x, y, z = (axis.index_select(1, face) for axis in corners)  # [3,S] each
    x, y = x - z * rays.a[column], y - z * rays.b[row]
    areas = tuple(x[j] * y[k] - x[k] * y[j] for j, k in ((1, 2), (2, 0), (0, 1)))
    depth = (areas[0] * z[0] + areas[1] * z[1] + areas[2] * z[2]) / (areas[0] + areas[1] + areas[2])
    return areas, depth


def _resolve(keys: Tensor, corners: Tensor, rays: _Rays) -> Raster:
    size = (rays.height, rays.width)
    face_id = torch.full((len(keys),), -1, dtype=torch.int64, device=keys.device)
    barycentric, depth = corners.new_zeros(len(keys), 3), corners.new_full((len(keys),), -1.0)
    pixel = (keys != _EMPTY).nonzero()[:, 0]
    face_id[pixel] = keys[pixel] & 0xFFFFFFFF
    areas, depth[pixel] = _areas_and_depth(corners, face_id[pixel], rays, pixel // rays.width, pixel % rays.width)
    stacked = torch.stack(areas, dim=1)
    barycentric[pixel] = stacked / stacked.sum(dim=1, keepdim=True)
    return Raster(face_id.view(size), barycentric.view(*size, 3), depth.view(size))


def _default_samples(device: torch.device) -> int:
    return 1 << 18 if device.type == "cpu" else 1 << 22


def _check_shapes(vertices: Tensor, faces: Tensor, intrinsics: Tensor, size: tuple[int, int]) -> None:
    for name, tensor in (("vertices", vertices), ("faces", faces)):
        if tensor.dim() != 2 or tensor.shape[1] != 3:
            raise InputError(f"{name} has shape {list(tensor.shape)}, accepted is [count, 3].")
    if not vertices.is_floating_point():
        raise InputError(f"vertices are {vertices.dtype}, accepted is a floating-point tensor.")
    if min(size) < 1:
        raise InputError(f"size is {size[0]} x {size[1]} pixels, accepted is at least 1 x 1.")
    if intrinsics.shape != (3, 3) or float(intrinsics[0, 1]) != 0 or min(intrinsics.diagonal()[:2]) <= 0:
        raise InputError("intrinsics must be [3,3] with positive focal lengths and no skew.")
