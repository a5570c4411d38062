"""The rasteriser every torch device has: a z-buffer filled by an integer scatter-minimum.

Every pixel of every face's box is a sample. Depth (a positive float, whose bits sort like an integer) and the entry's
number share one 64-bit key; the smallest key of a pixel wins, so of equal depths the first face.
"""

from __future__ import annotations

import torch
from torch import Tensor

from .raster import SLACK, Scene, areas_and_depth

EMPTY = torch.iinfo(torch.int64).max  # key of a pixel without a face


def draw(scene: Scene, samples_at_once: int | None = None) -> Tensor:
    """The entry [B*H*W] int64 that each pixel shows, -1 for none; the chunks do not change it."""
    rays, faces = scene.rays, len(scene.faces)
    keys = torch.full((rays.views * rays.height * rays.width,), EMPTY, dtype=torch.int64, device=rays.a.device)
    corners = scene.in_camera[:, scene.faces].permute(3, 2, 0, 1).reshape(3, 3, -1).contiguous()  # runs along entries
    boxes = _boxes(corners, scene)
    for chunk in _chunks(boxes, samples_at_once or _default_samples(keys.device)):
        entry, row, column = _samples(boxes, chunk)
        view = entry // faces
        its_corners = [axis.index_select(1, entry) for axis in corners]
        areas, depth = areas_and_depth(its_corners, *rays.through(view, row, column))
        low, high = areas[0].minimum(areas[1]).minimum(areas[2]), areas[0].maximum(areas[1]).maximum(areas[2])
        hit = (((low >= 0) | (high <= 0)) & (depth > scene.near)).nonzero()[:, 0]
        bits = depth[hit].float().view(torch.int32).long()
        pixel = (view[hit] * rays.height + row[hit]) * rays.width + column[hit]
        keys.scatter_reduce_(0, pixel, (bits << 32) | entry[hit], "amin")
    return entries_of(keys)


def entries_of(keys: Tensor) -> Tensor:
    """The entry that each key holds, -1 for empty ones."""
    return torch.where(keys == EMPTY, -1, keys & 0xFFFFFFFF)


def _boxes(corners: Tensor, scene: Scene) -> Tensor:
    """First column, first row, columns and rows [4,N] of the pixels whose centres may lie inside each face."""
    rays, depth = scene.rays, corners[2]
    focal, centre = (value.repeat_interleave(len(scene.faces), dim=1)[:, None] for value in (rays.focal, rays.centre))
    pixels = corners[:2] / depth * focal + centre  # [2,3,N]
    low, high = pixels.amin(dim=1) - 0.5 - SLACK, pixels.amax(dim=1) - 0.5 + SLACK
    crosses = (depth <= scene.near).any(dim=0) | ~(low + high).isfinite().all(dim=0)  # its picture has no finite box
    limit = low.new_tensor([[rays.width], [rays.height]])
    first = torch.where(crosses, 0, low).clamp(min=0).minimum(limit).ceil()
    stop = torch.where(crosses, limit, high.floor() + 1).clamp(min=0).minimum(limit)
    extent = (stop - first).clamp(min=0) * (depth > scene.near).any(dim=0)
    return torch.cat([first, extent]).long()


def _chunks(boxes: Tensor, samples_at_once: int) -> list[Tensor]:
    """Groups of entries with at most ``samples_at_once`` box pixels each; empty boxes are left out."""
    counts = boxes[2] * boxes[3]
    entries = counts.nonzero()[:, 0]
    ends = counts[entries].cumsum(0).cpu()
    groups, start = [], 0
    while start < len(entries):
        limit = samples_at_once + (int(ends[start - 1]) if start else 0)
        stop = max(start + 1, int(torch.searchsorted(ends, limit, right=True)))
        groups.append(entries[start:stop])
        start = stop
    return groups


def _samples(boxes: Tensor, chunk: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Every entry [S] of ``chunk`` with the row [S] and column [S] of every pixel of its box."""
    left, top, columns, rows = boxes.index_select(1, chunk)
    counts = columns * rows
    which = torch.repeat_interleave(counts)  # [S] position in the chunk
    table = torch.stack([chunk, left, top, columns, counts.cumsum(0) - counts])
    entry, left, top, columns, before = table.index_select(1, which)
    within = torch.arange(len(which), device=boxes.device) - before
    row = within // columns
    return entry, top + row, left + within - row * columns


def _default_samples(device: torch.device) -> int:
    return 1 << 18 if device.type == "cpu" else 1 << 22
