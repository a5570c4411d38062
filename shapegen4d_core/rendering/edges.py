"""The edges of a mesh with the corners opposite to them, and which of them outline the shape in a view."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Edges:
    """Undirected edges: ``ends`` [E,2] int64 vertices, ``apexes`` [E,2] the third corners of their two faces.

    Both apexes are the same vertex where an edge does not have exactly two faces.
    """

    ends: Tensor
    apexes: Tensor


def mesh_edges(faces: Tensor) -> Edges:
    """The edges of ``faces`` [F,3], on their device; they may be kept as long as the faces stay."""
    faces = faces.long()
    sides = torch.cat([faces[:, [1, 2]], faces[:, [2, 0]], faces[:, [0, 1]]]).sort(dim=1).values  # [3F,2]
    apexes = faces.T.reshape(-1)
    if len(faces) == 0:
        return Edges(sides, sides)
    key, order = (sides[:, 0] * (int(faces.max()) + 1) + sides[:, 1]).sort(stable=True)
    _, uses = torch.unique_consecutive(key, return_counts=True)
    first = uses.cumsum(0) - uses
    other = torch.where(uses == 2, first + 1, first)
    return Edges(sides[order[first]], torch.stack([apexes[order[first]], apexes[order[other]]], dim=1))


def outlines(edges: Edges, in_camera: Tensor) -> Tensor:
    """Which edges [B,E] may outline the shape in views with vertices ``in_camera`` [B,V,3].

    Those whose two faces lie on one side of the edge in the picture, whatever their winding, and those that do not
    have exactly two faces.
    """
    start, stop = in_camera[:, edges.ends].unbind(2)  # [B,E,3] each
    plane = torch.linalg.cross(start, stop)  # of the edge and the eye
    side = (plane[:, :, None] * in_camera[:, edges.apexes]).sum(dim=-1)  # [B,E,2]
    return side[..., 0] * side[..., 1] > 0
