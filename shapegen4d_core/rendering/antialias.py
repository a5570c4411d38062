"""Soft borders with gradients: pixels along outlines are blended by where the outline runs between their centres.

An outline edge steeper than 45 degrees is cut with the lines through the centres of pixel rows, any other with those
of the columns, so each is counted once. A cut lies between the centres of two neighbouring pixels, at the share s of
the way from the nearer surface to what lies behind. The nearer surface covers the farther pixel by s - 1/2 when that
is positive, or leaves 1/2 - s of its own. The picture's values therefore depend on the vertices through s, and the
method works where faces are smaller than pixels. B views, E edges, V vertices, C cuts.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .edges import Edges, outlines
from .raster import Raster

_NEAR = 1e-4  # edges that reach closer to the camera, or behind it, are left out


@dataclass(frozen=True)
class Cuts:
    """Where outlines pass between neighbouring pixels: ``first`` and ``second`` [C] flat pixel numbers over B views.

    ``share`` [C] of the way from the first centre to the second (differentiable), ``depth`` [C] of the edge there.
    """

    first: Tensor
    second: Tensor
    share: Tensor
    depth: Tensor


def antialias(picture: Tensor, raster: Raster, in_camera: Tensor, edges: Edges, intrinsics: Tensor) -> Tensor:
    """``picture`` [B,H,W,C] with soft outlines, differentiable in it and in ``in_camera`` [B,V,3].

    ``raster`` [B,H,W] is what the picture was drawn from, ``edges`` those of its faces, K [B,3,3] its camera.
    """
    flat = picture.reshape(-1, picture.shape[-1])
    depth = torch.where(raster.face_id < 0, torch.inf, raster.depth).reshape(-1)
    ends = _outline_ends(in_camera, edges)
    for rows in (True, False):  # one after the other, so that a mask stays in 0..1 where both meet in a pixel
        cuts = _cuts(ends, intrinsics, raster.face_id.shape, rows)
        flat = flat + _changes(flat, cuts, depth, raster.face_id.reshape(-1))
    return flat.view(picture.shape)


def _cuts(ends: tuple[Tensor, Tensor, Tensor], intrinsics: Tensor, shape: torch.Size, rows: bool) -> Cuts:
    """Cuts of steep edges with the lines through rows of pixels, or of the other edges with those through columns."""
    view, start, stop = ends
    _, height, width = shape
    axes = [0, 1] if rows else [1, 0]  # along the line, across it
    a, b = (_pixels(end, view, intrinsics)[:, axes] for end in (start, stop))
    edge, line = _lines_met(a.detach(), b.detach(), rows, height if rows else width)
    a, b = a[edge], b[edge]
    way = (line + 0.5 - a[:, 1]) / (b[:, 1] - a[:, 1])
    place = a[:, 0] + way * (b[:, 0] - a[:, 0]) - 0.5
    inside = ((place >= 0) & (place < (width if rows else height) - 1)).nonzero()[:, 0]
    edge, line, way, place = edge[inside], line[inside], way.detach()[inside], place[inside]
    left = place.detach().floor().long()
    row, column = (line, left) if rows else (left, line)
    first = (view[edge] * height + row) * width + column
    depth = 1 / (1 / start.detach()[edge, 2] * (1 - way) + way / stop.detach()[edge, 2])
    return Cuts(first, first + (1 if rows else width), place - left, depth)


def _lines_met(a: Tensor, b: Tensor, rows: bool, lines: int) -> tuple[Tensor, Tensor]:
    """Number [C] of each edge from ``a`` to ``b`` [N,2] for every line [C] it meets, for edges steeper than 45 degrees.

    Lines lie at whole numbers + 0.5 of the second coordinate; an edge meets its lower end's, not its upper end's.
    """
    along, across = (a - b).abs().unbind(1)
    steep = across >= along if rows else across > along
    low, high = torch.minimum(a[:, 1], b[:, 1]), torch.maximum(a[:, 1], b[:, 1])
    first, stop = ((end - 0.5).ceil().clamp(0, lines).long() for end in (low, high))
    count = (stop - first) * steep
    edge = torch.repeat_interleave(count)
    return edge, first[edge] + torch.arange(len(edge), device=a.device) - (count.cumsum(0) - count)[edge]


def _outline_ends(in_camera: Tensor, edges: Edges) -> tuple[Tensor, Tensor, Tensor]:
    """View [N] and both ends [N,3] in camera space of all outline edges of all views."""
    with torch.no_grad():
        ahead = (in_camera[:, :, 2] > _NEAR)[:, edges.ends].all(dim=2)
        view, edge = (outlines(edges, in_camera) & ahead).nonzero().unbind(1)
    start, stop = edges.ends[edge].unbind(1)
    return view, in_camera[view, start], in_camera[view, stop]


def _pixels(points: Tensor, view: Tensor, intrinsics: Tensor) -> Tensor:
    """Places [N,2] in pixels of ``points`` [N,3] in the camera spaces of views."""
    focal = intrinsics.diagonal(dim1=1, dim2=2)[view, :2]
    return points[:, :2] / points[:, 2:] * focal + intrinsics[view, :2, 2]


def _changes(flat: Tensor, cuts: Cuts, depth: Tensor, face_id: Tensor) -> Tensor:
    """What the cuts of one direction add to the pixels ``flat`` [P,C]."""
    with torch.no_grad():
        kept, forward = _visible(cuts, depth, face_id)
    first, second = cuts.first[kept], cuts.second[kept]
    near, far = torch.where(forward, first, second), torch.where(forward, second, first)
    share = torch.where(forward, cuts.share[kept], 1 - cuts.share[kept])
    gain = (share - 0.5)[:, None] * (flat[near] - flat[far])
    return torch.zeros_like(flat).index_add(0, torch.where(share >= 0.5, far, near), gain)


def _visible(cuts: Cuts, depth: Tensor, face_id: Tensor) -> tuple[Tensor, Tensor]:
    """Cuts that outline the nearer of their two pixels' surfaces, and whether that is the first pixel.

    Of several between the same pixels the outermost counts.
    """
    forward = depth[cuts.first] <= depth[cuts.second]
    near = torch.where(forward, depth[cuts.first], depth[cuts.second])
    far = torch.where(forward, depth[cuts.second], depth[cuts.first])
    own = (face_id[cuts.first] != face_id[cuts.second]) & ((cuts.depth - near).abs() < (cuts.depth - far).abs())
    kept = own.nonzero()[:, 0]
    reach = torch.where(forward, cuts.share, 1 - cuts.share)[kept]
    most = torch.full_like(depth, -1).scatter_reduce(0, cuts.first[kept], reach, "amax")
    outermost = (reach == most[cuts.first[kept]]).nonzero()[:, 0]
    winner = torch.full_like(face_id, len(cuts.first)).scatter_reduce(
        0, cuts.first[kept[outermost]], kept[outermost], "amin"
    )
    kept = kept[outermost][winner[cuts.first[kept[outermost]]] == kept[outermost]]
    return kept, forward[kept]
