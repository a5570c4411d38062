"""Sharp edges of an animated mesh, and places on its surface as (faces, barycentric) that move with it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...geometry.mesh import area_vectors


@dataclass(frozen=True)
class Places:
    """Points fixed to a mesh: ``face`` [n], ``barycentric`` [n,3], and ``other`` [n], the face across the edge.

    ``other`` is ``face`` itself for places inside a face or on a border.
    """

    face: np.ndarray
    barycentric: np.ndarray
    other: np.ndarray

    def __getitem__(self, rows: np.ndarray) -> Places:
        return Places(self.face[rows], self.barycentric[rows], self.other[rows])

    def __len__(self) -> int:
        return len(self.face)

    def on(self, vertices: np.ndarray, faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Positions and unit normals [n,3] on one frame's vertices [V,3]; no normal (0) where faces have no area."""
        corners = vertices[faces[self.face]]
        normals = unit(area_vectors(vertices, faces))
        return (corners * self.barycentric[..., None]).sum(axis=1), unit(normals[self.face] + normals[self.other])


def unit(vectors: np.ndarray) -> np.ndarray:
    """Vectors [n,3] at length 1; those of no length stay 0."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0)


@dataclass(frozen=True)
class EdgeList:
    """Every edge between two faces, or of one: its ``face``, the ``corner`` it starts from and the ``other`` face."""

    face: np.ndarray
    corner: np.ndarray
    other: np.ndarray


def edge_list(welded: np.ndarray) -> EdgeList:
    """Edges of welded faces [F,3]; one that more than two faces share is listed with each neighbour in turn."""
    start, stop = welded.reshape(-1).astype(np.int64), np.roll(welded, -1, axis=1).reshape(-1).astype(np.int64)
    key = np.minimum(start, stop) * (int(welded.max(initial=0)) + 1) + np.maximum(start, stop)
    order = np.argsort(key, kind="stable")
    key, face, corner = key[order], order // 3, order % 3
    same = np.r_[key[1:] == key[:-1], False]
    alone = ~same & ~np.r_[False, same[:-1]]
    rows = np.flatnonzero(same | alone)
    after = face[np.minimum(rows + 1, len(face) - 1)]
    return EdgeList(face[rows], corner[rows], np.where(same[rows], after, face[rows]))


def sharp_places(
    vertices: np.ndarray, faces: np.ndarray, edges: EdgeList, degrees: float, count: int, rng: np.random.Generator
) -> Places:
    """``count`` places on one frame's edges whose faces meet at more than ``degrees``, and on borders, by length.

    None when there are no such edges.
    """
    normals = unit(area_vectors(vertices, faces))
    bent = np.einsum("ei,ei->e", normals[edges.face], normals[edges.other]) < np.cos(np.radians(degrees))
    sharp = np.flatnonzero(bent | (edges.face == edges.other))
    first = vertices[faces[edges.face[sharp], edges.corner[sharp]]]
    last = vertices[faces[edges.face[sharp], (edges.corner[sharp] + 1) % 3]]
    ends = np.cumsum(np.linalg.norm(last - first, axis=1))
    if len(ends) == 0 or ends[-1] <= 0 or count == 0:
        none = np.zeros(0, np.int64)
        return Places(none, np.zeros((0, 3)), none)
    pick = sharp[np.searchsorted(ends, rng.random(count) * ends[-1]).clip(max=len(sharp) - 1)]
    share, barycentric = rng.random(count), np.zeros((count, 3))
    rows = np.arange(count)
    barycentric[rows, edges.corner[pick]] = 1 - share
    barycentric[rows, (edges.corner[pick] + 1) % 3] = share
    return Places(edges.face[pick], barycentric, edges.other[pick])


def even_places(vertices: np.ndarray, faces: np.ndarray, count: int, rng: np.random.Generator) -> Places:
    """``count`` places on one frame's faces, evenly by area and in random order."""
    areas = np.linalg.norm(area_vectors(vertices, faces), axis=1)
    ends = np.cumsum(areas)
    steps = (np.arange(count) + rng.random(count)) * (ends[-1] / count)
    face = rng.permutation(np.searchsorted(ends, steps).clip(max=len(faces) - 1))
    root, share = np.sqrt(rng.random(count)), rng.random(count)
    barycentric = np.stack([1 - root, root * (1 - share), root * share], axis=1)
    return Places(face, barycentric, face)
