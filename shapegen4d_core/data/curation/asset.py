"""One animated mesh file to one shard: placed, closed frame by frame, sampled, drawn and written."""

from __future__ import annotations

import zlib
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ...decoding.grid import Grid
from ...decoding.surface import inspect_surface
from ...errors import InputError
from ...importing.animated_mesh import AnimatedMesh
from ..jobs import MADE, REJECTED, Outcome
from ..parts import rotation
from ..shard_file import write_shard
from .colouring import Paint
from .edges import edge_list
from .pictures import View, draw_views, render_view
from .placing import Placed, place, travel
from .queries import carried, choose_queries, follow
from .rejection import Rejected
from .samples import FrameGeometry, near_points
from .selection import check_mesh, check_motion
from .settings import CurationSettings
from .sources import digest
from .watertight import SHEET, close_surface
from .welding import weld


@dataclass(frozen=True)
class AssetJob:
    """One shard to make: the file, where its shard goes, the view it is turned to (None for all, canonical)."""

    source: str
    shown_source: str
    target: str
    view: int | None
    settings: CurationSettings
    licence: str
    attribution: str


def curate_file(name: str, job: AssetJob) -> Outcome:
    """Make the shard of one file; a refusal is an outcome with its reason."""
    try:
        mesh = _read(job)
        arrays, description, figures = curate_mesh(mesh, name, job.view, job.settings)
    except Rejected as refusal:
        return Outcome(name, REJECTED, reason=refusal.reason, detail=refusal.detail)
    asset = {
        "name": name,
        "source": job.shown_source,
        "seed": None,
        "licence": job.licence,
        "attribution": job.attribution,
        "sha256": digest(job.source),
        **description,
    }
    write_shard(job.target, arrays, asset)
    return Outcome(name, MADE, job.target, figures=figures)


def _read(job: AssetJob) -> AnimatedMesh:
    from ...importing import load_animated

    settings = job.settings
    try:
        mesh = load_animated(job.source, frames=None if settings.fps else settings.frames, fps=settings.fps)
    except (InputError, OSError) as error:
        raise Rejected("unreadable file", str(error).removeprefix(f"Cannot import {job.source}: ")) from error
    if mesh.frame_count < settings.frames:
        raise Rejected("too few frames", f"{mesh.frame_count} at {mesh.fps:g} per second, {settings.frames} wanted")
    return mesh


def asset_seed(name: str, settings: CurationSettings) -> list[int]:
    """Where all random numbers of an asset start from: its name without the view, and the seed of the settings."""
    return [settings.seed, zlib.crc32(name.encode())]


def curate_mesh(
    mesh: AnimatedMesh, name: str, view: int | None, settings: CurationSettings
) -> tuple[dict[str, np.ndarray], dict[str, Any], dict[str, float]]:
    """Arrays and description of the shard of one mesh, and what was measured on the way; raises Rejected.

    ``view`` None keeps the axes and draws all views; a number turns the mesh to that view and draws only it.
    """
    seed = asset_seed(name.removesuffix(f"-v{view}"), settings)
    vertices, faces = mesh.vertices[: settings.frames], mesh.faces
    check_mesh(vertices, faces, settings)
    remove = settings.root_motion == "remove"
    root = None if mesh.root is None else mesh.root[: settings.frames]
    path = travel(vertices, faces, root) if remove else np.zeros((len(vertices), 3))
    views = draw_views(settings, np.random.default_rng([*seed, 1]))
    turn = np.eye(3) if view is None else rotation("y", -views[view].azimuth)
    placed = place(vertices, faces, path, turn, settings.margin)
    figures = check_motion(placed.vertices, faces, settings)
    arrays, measured = _geometry(placed, faces, seed, settings)
    shown = views if view is None else [views[view]]
    arrays |= _pictures(mesh, path, shown, settings)
    arrays["root_motion"] = placed.root_motion
    figures |= measured
    thickness = figures.pop("thickness")
    description = {
        "fps": float(mesh.fps),
        "frame": settings.frame,
        "centre": placed.centre.tolist(),
        "zoom": placed.zoom,
        "thickness": thickness or None,
        "figures": figures,
        "settings": asdict(settings),
    }
    return arrays, description, figures


def _geometry(
    placed: Placed, faces: np.ndarray, seed: list[int], settings: CurationSettings
) -> tuple[dict[str, np.ndarray], dict[str, float]]:
    grid = Grid(settings.resolution, settings.bounds)
    edges = edge_list(weld(placed.vertices, faces)[faces])
    stored: dict[str, list] = {key: [] for key in ("surface", "sharp", "near", "uniform")}
    even, sharp, sheets, shares, thickness, queries = [], [], [], [], 0.0, None
    for number, vertices in enumerate(placed.vertices):
        rng = np.random.default_rng([*seed, 2, number])
        closed = close_surface(vertices, faces, grid, seed=number)
        report = inspect_surface(closed.vertices, closed.faces)
        if not (report.closed and report.edge_manifold and report.volume > 0):
            raise Rejected("not watertight", f"frame {number + 1} of {len(placed.vertices)}")
        frame = FrameGeometry(vertices, faces, closed.vertices, closed.faces, (SHEET + 0.5) * grid.cell)
        queries = queries or choose_queries(frame, edges, settings, np.random.default_rng([*seed, 3]))
        even.append(follow(queries.even, frame))
        sharp.append(follow(queries.sharp, frame))
        surface = frame.surface(settings.surface_points + settings.sharp_points, rng)
        surface, spare = np.split(surface, [settings.surface_points])
        salient, share = frame.sharp(edges, settings, rng, spare)
        volume = rng.uniform(-settings.bounds, settings.bounds, (settings.uniform_points, 3))
        stored["surface"].append(surface)
        stored["sharp"].append(salient)
        stored["near"].append(frame.field(near_points(surface, settings, rng), settings.truncation))
        stored["uniform"].append(frame.field(volume, settings.truncation))
        sheets.append(closed.sheet_share)
        shares.append(share)
        thickness = max(thickness, closed.thickness or 0.0)
    arrays = {key: np.stack(rows).astype(np.float16) for key, rows in stored.items()}
    arrays["aligned"] = carried(even).astype(np.float16)
    arrays["aligned_sharp"] = carried(sharp).astype(np.float16)
    return arrays, {
        "outer_share": queries.outer_share,
        "sheet_share": float(np.mean(sheets)),
        "sharp_share": float(np.mean(shares)),
        "thickness": thickness,
    }


def _pictures(
    mesh: AnimatedMesh, path: np.ndarray, views: list[View], settings: CurationSettings
) -> dict[str, np.ndarray]:
    vertices, faces = mesh.vertices[: settings.frames], mesh.faces
    paint, smooth, clips = Paint(mesh), weld(vertices, faces), []
    for view in views:
        turned = place(vertices, faces, path, rotation("y", -view.azimuth), settings.margin)
        clips.append(render_view(mesh, paint, smooth, turned.vertices, view, settings))
    turned = settings.frame == "view"
    return {
        "rgba": np.stack(clips),
        "azimuth": np.array([0.0 if turned else view.azimuth for view in views], np.float32),
        "elevation": np.array([view.elevation for view in views], np.float32),
    }
