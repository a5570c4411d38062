"""Clips whose true motion is known but hidden: every frame meshed anew, and a carrier of points between frames."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import fast_simplification
import numpy as np
import trimesh
from scipy.spatial import cKDTree
from skimage.measure import marching_cubes

from shapegen4d_core.data import fields
from shapegen4d_core.data.procedural import Asset, ProceduralSettings, build_asset
from shapegen4d_core.geometry.mesh import area_vectors
from shapegen4d_core.geometry.surface_points import choose_points, unit_box
from shapegen4d_core.importing import load_animated
from shapegen4d_core.sequence import MeshSequence

BOUNDS = 1.05
ANIMATED = Path(__file__).parents[1] / "tests" / "data" / "animated"


@dataclass(frozen=True)
class HiddenClip:
    """A sequence in the unit box; ``carry`` takes points [P,3] of frame 0 to frame t; ``looks`` gives the true normal
    [P,3] of the surface nearest to points of frame t, None when it is not known.
    """

    name: str
    meshes: MeshSequence
    carry: Callable[[np.ndarray, int], np.ndarray]
    looks: Callable[[np.ndarray, int], np.ndarray] | None = None


def procedural(family: str, seed: int, frames: int, resolution: int) -> HiddenClip:
    """A procedural asset by marching cubes, the grid shifted by part of a cell in every frame."""
    asset = build_asset(family, seed, ProceduralSettings(frames=frames))
    rng = np.random.default_rng(seed)
    meshes = [_extracted(asset, t, resolution, rng.uniform(-0.5, 0.5)) for t in range(frames)]
    return HiddenClip(
        f"{family}-{seed}",
        MeshSequence(tuple(v for v, _ in meshes), tuple(f for _, f in meshes), 8.0, family),
        lambda points, t: _carried(asset, points, t),
        lambda points, t: fields.project(*asset.poses[t], asset.to_object(points), 8)[1] @ asset.turn.T,
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
    shapes = [box(vertices) for vertices in mesh.vertices]
    rng = np.random.default_rng(0)
    rows = []
    for shape in shapes:
        fine, triangles = shape, mesh.faces
        while len(triangles) < 4 * faces:
            fine, triangles = trimesh.remesh.subdivide(fine, triangles)
        fine = fine + 1e-3 * rng.normal(size=fine.shape)
        points, kept = fast_simplification.simplify(fine.astype(np.float32), triangles, target_count=faces)
        rows.append((points.astype(np.float32), kept.astype(np.int32)))
    places = choose_points(shapes[0], mesh.faces, 200_000, 0)
    tree = cKDTree(places.on(shapes[0], mesh.faces))

    def carry(points: np.ndarray, frame: int) -> np.ndarray:
        _, nearest = tree.query(points)
        return places.on(shapes[frame], mesh.faces)[nearest]

    return HiddenClip(name, MeshSequence(tuple(v for v, _ in rows), tuple(f for _, f in rows), mesh.fps, name), carry)


def diagonal(meshes: MeshSequence) -> float:
    """Diagonal of the box of all frames."""
    return float(np.linalg.norm(np.ptp(meshes.bounds(), axis=0)))


def turned_over(clip: HiddenClip, found: np.ndarray, truth: np.ndarray, faces: np.ndarray, frame: int) -> float:
    """Share of faces that look away from their true image, of those whose true image is not folded itself."""
    normals = area_vectors(truth, faces)
    sound = np.ones(len(faces), bool)
    if clip.looks is not None:
        lengths = np.linalg.norm(normals, axis=1)
        sound = (normals * clip.looks(truth[faces].mean(axis=1), frame)).sum(axis=1) > 0.3 * lengths
    return float(((area_vectors(found, faces) * normals).sum(axis=1) < 0)[sound].mean())
