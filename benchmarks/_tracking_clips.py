"""Clips whose true motion is known but hidden: every frame meshed anew, and a carrier of points between frames."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import fast_simplification
import numpy as np
import trimesh
from skimage.measure import marching_cubes

from shapegen4d_core.data import fields
from shapegen4d_core.data.procedural import Asset, ProceduralSettings, build_asset
from shapegen4d_core.geometry.closest_point import MeshTree
from shapegen4d_core.geometry.mesh import area_vectors
from shapegen4d_core.geometry.surface_points import unit_box
from shapegen4d_core.importing import load_animated
from shapegen4d_core.sequence import MeshSequence

BOUNDS = 1.05
ANIMATED = Path(__file__).parents[1] / "tests" / "data" / "animated"


@dataclass(frozen=True)
class HiddenClip:
    """A sequence in the unit box and what is true of it.

    ``carry`` takes points [P,3] of frame 0 to frame t. ``image`` gives the normals [F,3], of any length, that faces of
    frame 0 (corners [F,3,3]) truly have in frame t: each face is carried by the surface under its own centre, so that
    an image can not fold where neighbours are carried apart. ``looks`` gives the normal [P,3] of the true surface of
    frame t at its point nearest to each of [P,3].
    """

    name: str
    meshes: MeshSequence
    carry: Callable[[np.ndarray, int], np.ndarray]
    image: Callable[[np.ndarray, int], np.ndarray]
    looks: Callable[[np.ndarray, int], np.ndarray]


def procedural(family: str, seed: int, frames: int, resolution: int) -> HiddenClip:
    """A procedural asset by marching cubes, the grid shifted by part of a cell in every frame."""
    asset = build_asset(family, seed, ProceduralSettings(frames=frames))
    rng = np.random.default_rng(seed)
    meshes = [_extracted(asset, t, resolution, rng.uniform(-0.5, 0.5)) for t in range(frames)]

    def looks(points: np.ndarray, frame: int) -> np.ndarray:
        return fields.project(*asset.poses[frame], asset.to_object(points), 8)[1] @ asset.turn.T

    return HiddenClip(
        f"{family}-{seed}",
        MeshSequence(tuple(v for v, _ in meshes), tuple(f for _, f in meshes), 8.0, family),
        lambda points, t: _carried(asset, points, t),
        lambda corners, t: looks(_carried(asset, corners.mean(axis=1), t), t),
        looks,
    )


def _extracted(asset: Asset, frame: int, resolution: int, shift: float) -> tuple[np.ndarray, np.ndarray]:
    cell = 2 * BOUNDS / resolution
    axis = np.arange(resolution + 1) * cell - BOUNDS + shift * cell
    grid = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1)
    values = asset.field(frame, grid.reshape(-1, 3)).reshape(grid.shape[:3])
    vertices, faces, _, _ = marching_cubes(values.astype(np.float32), 0.0)
    return (vertices * cell + axis[0]).astype(np.float32), np.ascontiguousarray(faces[:, ::-1], np.int32)


def _carried(asset: Asset, points: np.ndarray, frame: int) -> np.ndarray:
    """Where the asset's parts take points [P,3] of frame 0, put back onto the surface."""
    first, pose = asset.poses[0], asset.poses[frame]
    part, local = fields.local_coordinates(*first[:4], first[6], asset.to_object(points))
    unit = local / asset.scales[0][part]
    placed = fields.place(pose[2], pose[3], pose[6], part, unit * asset.scales[frame][part])
    return asset.to_box(fields.project(*pose, placed, 8)[0])


def animated(name: str, frames: int, faces: int = 20_000) -> HiddenClip:
    """An animated file, every frame cut finer, shaken by a thousandth of a half box and simplified on its own."""
    mesh = load_animated(ANIMATED / f"{name}.glb", frames=frames)
    box = unit_box(list(mesh.vertices))
    shapes, skin = _welded([box(vertices) for vertices in mesh.vertices], mesh.faces)
    rng = np.random.default_rng(0)
    rows = []
    for shape in shapes:
        fine, triangles = shape, skin
        while len(triangles) < 4 * faces:
            fine, triangles = trimesh.remesh.subdivide(fine, triangles)
        fine = fine + 1e-3 * rng.normal(size=fine.shape)
        points, kept = fast_simplification.simplify(fine.astype(np.float32), triangles, target_count=faces)
        rows.append((points.astype(np.float32), kept.astype(np.int32)))
    trees = [MeshTree(shape, skin) for shape in shapes]

    def carry(points: np.ndarray, frame: int) -> np.ndarray:
        found = trees[0].closest(points)
        return (trees[frame].corners[found.face] * found.barycentric[..., None]).sum(axis=1)

    def image(corners: np.ndarray, frame: int) -> np.ndarray:
        under = trees[0].closest(corners.mean(axis=1)).face
        first, now = (_axes(trees[t].corners[under]) for t in (0, frame))
        edges = (corners[:, 1:] - corners[:, :1]) @ np.linalg.inv(first) @ now
        return np.cross(edges[:, 0], edges[:, 1])

    def looks(points: np.ndarray, frame: int) -> np.ndarray:
        return _axes(trees[frame].corners[trees[frame].closest(points).face])[:, 2]

    sequence = MeshSequence(tuple(v for v, _ in rows), tuple(f for _, f in rows), mesh.fps, name)
    return HiddenClip(name, sequence, carry, image, looks)


def _axes(corners: np.ndarray) -> np.ndarray:
    """Two edges and the unit normal of triangles [P,3,3], as rows [P,3,3]."""
    edges = corners[:, 1:] - corners[:, :1]
    normal = np.cross(edges[:, 0], edges[:, 1])
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    return np.concatenate([edges, normal[:, None]], axis=1)


def _welded(shapes: list[np.ndarray], faces: np.ndarray) -> tuple[list[np.ndarray], np.ndarray]:
    """Vertices that are together in every frame as one: shaken apart, the seams of a texture would be open cracks."""
    paths = np.concatenate(shapes, axis=1).round(6)
    _, first, number = np.unique(paths, axis=0, return_index=True, return_inverse=True)
    return [shape[first] for shape in shapes], number.reshape(-1)[faces].astype(np.int32)


def diagonal(meshes: MeshSequence) -> float:
    """Diagonal of the box of all frames."""
    return float(np.linalg.norm(np.ptp(meshes.bounds(), axis=0)))


def turned_over(clip: HiddenClip, first: np.ndarray, found: np.ndarray, faces: np.ndarray, frame: int) -> np.ndarray:
    """Shares of faces, tracked from vertices ``first`` to ``found`` [V,3], that look away from their true image, and
    that look away from the true surface where they lie as well.

    The first count holds faces that slid around a limb or a crease, and those whose true place the other parts have
    swallowed; the second is of faces that are really inside out: pleats and folds.
    """
    normals = area_vectors(found, faces)
    turned = (normals * clip.image(first[faces], frame)).sum(axis=1) < 0
    wrong = (normals * clip.looks(found[faces].mean(axis=1), frame)).sum(axis=1) < 0
    return np.array([turned.mean(), (turned & wrong).mean()])
