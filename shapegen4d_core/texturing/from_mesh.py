"""The texture of an already textured mesh, carried over to a sequence of one topology by nearest surface points."""

from __future__ import annotations

import time
from dataclasses import replace
from itertools import permutations, product
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from ..errors import InputError
from ..geometry.icp import CloudPair, similarity_icp
from ..geometry.similarity import Similarity
from ..geometry.surface_points import sample_surface
from ..progress import Check, Progress, tick
from ..sequence import MeshSequence
from .complete import complete
from .from_video import Shared, finish
from .nearest_surface import NearestSurface
from .result import TextureResult
from .settings import TextureSettings
from .source_mesh import SourceMesh, source_from
from .surface import Surface, cut_surface
from .texels import Texels, surface_texels

_POINTS, _ROUGH_POINTS = 2000, 400  # per cloud in alignment
_POLISHED_POINTS, _POLISHES, _TRIMMED = 1000, 15, 0.9
_KEPT_TURNS = 2
_FACING = 0.2  # cosine between normals from which a colour is taken over
_ONE_SIDED = 0.6  # part of the points that must find a surface near, or the source is said not to fit


def texture_from_mesh(
    meshes: MeshSequence,
    source: Any,
    settings: TextureSettings | None = None,
    progress: Progress | None = None,
    check: Check | None = None,
) -> TextureResult:
    """Unwrap ``meshes`` (one topology) and colour it from ``source``, whose shape is that of the first frame.

    ``source`` is a path to a GLB, a trimesh, or a :class:`SourceMesh`. With alignment "icp" it is first moved onto the
    first frame from where it lies, with "search" also from 24 turns of the axes and with its size adapted. Texels that
    find no surface near enough, facing the same way, are filled and marked. Raises InputError for frames of different
    topology, a source without colours, and one that does not fit.
    """
    settings = settings or TextureSettings()
    began, notes = time.perf_counter(), []
    mesh = source_from(source)
    share = Shared(progress, (("unwrap", 30), ("transfer", 60), ("fill", 10)))
    settings.check_memory()
    surface = cut_surface(meshes, settings.size, share("unwrap"), check, notes.append)
    texels = surface_texels(surface.faces, surface.cut.uv, settings.size, check)
    colour, trust, note = transferred(surface, texels, mesh, settings, check)
    share("transfer")(1, 1)
    done = complete(surface, texels, colour, trust, replace(settings, min_quality=0.05), check=check)
    share("fill")(1, 1)
    shares = {**done.shares, "given": done.shares["seen"], "seen": 0.0}
    done = replace(done, shares=shares)
    return finish(meshes, surface, texels, done, settings, "a textured mesh", 1, began, (*notes, note), check)


def transferred(
    surface: Surface, texels: Texels, source: Any, settings: TextureSettings, check: Check | None
) -> tuple[np.ndarray, np.ndarray, str]:
    """Colours [N,3] and trust [N] 0..1 of all texels from a textured mesh, and a sentence on how it fits.

    Raises InputError when the mesh lies elsewhere.
    """
    mesh = source_from(source)
    placed = align(mesh, surface.places(0), surface.welded, settings.alignment, check)
    nearest = NearestSurface(placed(mesh.vertices.astype(np.float64)), mesh.faces)
    colour, trust = np.zeros((len(texels), 3), np.float32), np.zeros(len(texels), np.float32)
    vertices, normals = surface.vertices(0), surface.normals(0)
    step, distances, unit = 1 << 17, [], surface.half_box
    for start in range(0, len(texels), step):
        rows = np.arange(start, min(start + step, len(texels)))
        tick(None, check, start, len(texels))
        points = texels.mix(vertices, surface.faces, rows)
        found = nearest.query(points, texels.mix(normals, surface.faces, rows), check)
        colour[rows] = mesh.colour_at(found.face, found.weights)
        near = (1 - found.distance / (settings.transfer_distance * unit)).clip(0, 1)
        trust[rows] = near * (found.cosine > _FACING)
        distances.append(found.distance)
    distance = np.concatenate(distances) / unit
    if (distance < settings.transfer_distance).mean() < _ONE_SIDED:
        raise InputError(
            f"The textured mesh lies {np.median(distance):.2g} half boxes away from the first frame; set alignment to "
            "search, or give a mesh of the same shape."
        )
    return colour, trust, f"The textured mesh lies {distance.mean():.4f} half boxes from the first frame on average."


def align(
    mesh: SourceMesh, vertices: np.ndarray, faces: np.ndarray, method: str, check: Check | None = None
) -> Similarity:
    """The similarity that moves a textured mesh onto vertices [V,3], faces [F,3]: "none", "icp" or "search"."""
    if method == "none":
        return Similarity()
    moving = sample_surface(mesh.vertices, mesh.faces, _POINTS, seed=0)
    fixed = sample_surface(vertices, faces, _POINTS, seed=1)
    pair = CloudPair(moving, fixed)
    starts = [Similarity()] if method == "icp" else _starts(moving, fixed, check)
    best, least = starts[0], np.inf
    for number, start in enumerate(starts):
        tick(None, check, number, len(starts))
        found = similarity_icp(pair, start)
        distance = pair.chamfer(found)
        if distance < least:
            best, least = found, distance
    return _polished(best, moving[:_POLISHED_POINTS], NearestSurface(vertices, faces), check)


def _polished(start: Similarity, moving: np.ndarray, target: NearestSurface, check: Check | None) -> Similarity:
    """The similarity after a few rounds of points to planes, which slide along the surface where points stick.

    Keeps the start unless it gets better.
    """
    best, current, least = start, start, np.inf
    for number in range(_POLISHES):
        tick(None, check, number, _POLISHES)
        points = current(moving)
        found = target.query(points)
        near = found.distance <= np.quantile(found.distance, _TRIMMED)
        distance = float(found.distance[near].mean())
        if distance < least:
            best, least = current, distance
        nearest = (target.corners[found.face[near]] * found.weights[near][..., None]).sum(axis=1)
        current = _plane_step(current, points[near], nearest, target.normals[found.face[near]])
    return best


def _plane_step(before: Similarity, points: np.ndarray, nearest: np.ndarray, normals: np.ndarray) -> Similarity:
    """One Gauss-Newton step of turn, shift and growth [7] that brings points [P,3] into the planes of their nearest."""
    centre = points.mean(axis=0)
    arms = points - centre
    slopes = np.column_stack([np.cross(arms, normals), normals, (arms * normals).sum(axis=1)])
    step = np.linalg.lstsq(slopes, ((nearest - points) * normals).sum(axis=1), rcond=1e-3)[0]
    turn, growth = Rotation.from_rotvec(step[:3]).as_matrix(), 1 + step[6].clip(-0.2, 0.2)
    shift = growth * turn @ (before.translation - centre) + centre + step[3:6]
    return Similarity(growth * before.scale, turn @ before.rotation, shift)


def _starts(moving: np.ndarray, fixed: np.ndarray, check: Check | None) -> list[Similarity]:
    """The best few of 24 axis turns, sizes and centres made equal, and no movement at all."""
    rough = CloudPair(moving[:_ROUGH_POINTS], fixed[:_ROUGH_POINTS])
    (low, high), (from_low, from_high) = ((cloud.min(axis=0), cloud.max(axis=0)) for cloud in (fixed, moving))
    scale = np.linalg.norm(high - low) / max(np.linalg.norm(from_high - from_low), 1e-9)
    turned = []
    for number, turn in enumerate(axis_turns()):
        tick(None, check, number, 24)
        shift = (low + high) / 2 - scale * turn @ (from_low + from_high) / 2
        found = similarity_icp(rough, Similarity(scale, turn, shift), iterations=10)
        turned.append((rough.chamfer(found), number, found))
    return [Similarity(), *(found for _, _, found in sorted(turned)[:_KEPT_TURNS])]


def axis_turns() -> list[np.ndarray]:
    """The 24 rotations [3,3] that take axes to axes."""
    turns = []
    for order, signs in product(permutations(range(3)), product((1.0, -1.0), repeat=3)):
        turn = np.zeros((3, 3))
        turn[range(3), order] = signs
        if np.linalg.det(turn) > 0:
            turns.append(turn)
    return turns
