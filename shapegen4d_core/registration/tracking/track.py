"""A sequence of independent meshes to one topology: the anchor's mesh carried to every frame (paper, A.2.1).

Frames are fitted outward from the anchor, each from its neighbour's result; rigidity is measured against the anchor
itself, so that distortion does not add up along the way. Where the topology really changes a new segment begins.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...errors import InputError
from ...geometry.mesh import vertex_normals
from ...geometry.surface_points import UnitBox
from ...progress import Check, Progress
from ...sequence import MeshSequence
from .anchor import choose_anchor
from .changes import count_topology, list_changes
from .fit import Fitter
from .prepare import checked_box, template_mesh
from .report import FrameReport, Judge, TrackReport
from .settings import TrackSettings
from .surface import Template

Mesh = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class TrackResult:
    """Tracked ``meshes`` (as many frames as were given, normals recomputed), the frames (first, last + 1) of each
    segment of one topology, and the report.
    """

    meshes: MeshSequence
    segments: tuple[tuple[int, int], ...]
    report: TrackReport


def track_topology(
    meshes: MeshSequence,
    settings: TrackSettings | None = None,
    progress: Progress | None = None,
    check: Check | None = None,
) -> TrackResult:
    """Carry the anchor's mesh, simplified to ``settings.faces``, through all frames.

    With on_change "split" each segment has a topology of its own, otherwise the result has one. Raises InputError for
    fewer than two frames, frames without a surface, an anchor that is not there, and, with on_change "error", for a
    change of topology.
    """
    settings = settings or TrackSettings()
    began = time.perf_counter()
    box = checked_box(meshes)
    if isinstance(settings.anchor, int) and settings.anchor >= meshes.frame_count:
        raise InputError(
            f"Track setting anchor is frame {settings.anchor}, but the sequence has frames 0..{meshes.frame_count - 1}."
        )
    frames = [(box(vertices).astype(np.float32), faces) for vertices, faces in zip(meshes.vertices, meshes.faces)]
    run = _Run(frames, settings, progress, check)
    parts = [run.segment(number, *ends) for number, ends in enumerate(run.segments)]
    report = TrackReport(
        frames=tuple(sorted((row for part in parts for row in part.reports), key=lambda row: row.frame)),
        anchors=tuple(part.anchor for part in parts),
        faces=tuple(len(part.faces) for part in parts),
        source_faces=tuple(len(meshes.faces[part.anchor]) for part in parts),
        seconds=time.perf_counter() - began,
    )
    return TrackResult(_sequence(meshes, parts, box, settings), tuple(run.segments), report)


@dataclass(frozen=True)
class _Part:
    """One tracked segment: vertices [V,3] by frame in the unit box, shared faces [F,3]."""

    anchor: int
    faces: np.ndarray
    vertices: dict[int, np.ndarray]
    reports: list[FrameReport]


class _Run:
    """One call of :func:`track_topology`: the frames in the unit box and the ticks done so far."""

    def __init__(
        self, frames: list[Mesh], settings: TrackSettings, progress: Progress | None, check: Check | None
    ) -> None:
        self.frames, self.settings, self.progress, self.check = frames, settings, progress, check
        self.per_fit = Fitter.steps_of(settings)
        self.done, self.total = 0, self._ticks(len(frames) - 1)
        found = list_changes(count_topology(frames, self._ticker(len(frames)), check))
        self.changes = {change.frame: change.why for change in found if change.certain}
        if self.changes and settings.on_change == "error":
            at, why = min(self.changes.items())
            raise InputError(
                f"The topology changes at frame {at} ({why}); set on_change to split or force, or cut the clip there."
            )
        starts = [0, *sorted(self.changes)] if settings.on_change == "split" else [0]
        self.segments = list(zip(starts, [*starts[1:], len(frames)]))
        self.total = self._ticks(len(frames) - len(self.segments))

    def _ticks(self, fits: int) -> int:
        return 2 * len(self.frames) + self.per_fit * fits * (2 if self.settings.bidirectional else 1)

    def _ticker(self, steps: int) -> Progress:
        """A callback for a part of the work, ``steps`` ticks of the whole; also counts them as done."""
        start = self.done
        self.done += steps

        def report(step: int, total: int, preview: object = None) -> None:
            if self.progress is not None:
                self.progress(min(start + round(steps * step / total), self.total), self.total, preview)

        return report

    def segment(self, number: int, first: int, stop: int) -> _Part:
        """Track the frames ``first`` to ``stop`` - 1."""
        settings = self.settings
        anchor = choose_anchor(self.frames, first, stop, settings.anchor, self.check)
        vertices, faces = template_mesh(*self.frames[anchor], settings.faces)
        template = Template(vertices, faces, settings.samples, settings.seed)
        fitter, judge = Fitter(template, settings), Judge(vertices, faces, settings.seed)
        shapes: dict[int, np.ndarray] = {anchor: vertices.astype(np.float64)}
        starts = {anchor: anchor}
        ways = (range(anchor + 1, stop), range(anchor - 1, first - 1, -1))
        for way, step in zip(ways, (1, -1)):
            for frame in way:
                shapes[frame] = self._fit(fitter, shapes[frame - step], frame)
                starts[frame] = frame - step
        if settings.bidirectional:
            for way, step in zip(ways, (1, -1)):
                self._back(fitter, shapes, way, step)
        reports = []
        for frame in range(first, stop):
            change = self.changes.get(frame, "")
            reports.append(judge(frame, number, shapes[starts[frame]], shapes[frame], self.frames[frame], change))
            self._ticker(1)(1, 1)
            if self.check is not None:
                self.check()
        return _Part(anchor, faces, shapes, reports)

    def _fit(self, fitter: Fitter, start: np.ndarray, frame: int) -> np.ndarray:
        target = fitter.target(*self.frames[frame], frame)
        return fitter.fit(start, target, self._ticker(self.per_fit), self.check)

    def _back(
        self, fitter: Fitter, shapes: dict[int, np.ndarray], way: Sequence[int], step: int
    ) -> None:
        """Fit each frame again from the one after it, from the end of ``way``; keep whichever is nearer."""
        self._ticker(self.per_fit if len(way) else 0)(1, 1)  # of the end itself, which stays
        for frame in list(way)[-2::-1]:
            again = self._fit(fitter, shapes[frame + step], frame)
            target = fitter.target(*self.frames[frame], frame)
            if fitter.misfit(again, target) < fitter.misfit(shapes[frame], target):
                shapes[frame] = again


def _sequence(meshes: MeshSequence, parts: list[_Part], box: UnitBox, settings: TrackSettings) -> MeshSequence:
    """The tracked frames in the lengths and the place of ``meshes``."""
    rows = {frame: (shape, part.faces) for part in parts for frame, shape in part.vertices.items()}
    vertices = [(rows[t][0] * box.half_side + box.centre).astype(np.float32) for t in range(meshes.frame_count)]
    faces = [rows[t][1] for t in range(meshes.frame_count)]
    noted = {**meshes.settings, "tracking": {**settings.to_dict(), "anchors": [part.anchor for part in parts]}}
    normals = tuple(vertex_normals(points, triangles) for points, triangles in zip(vertices, faces))
    return MeshSequence(tuple(vertices), tuple(faces), meshes.fps, meshes.name, normals=normals, settings=noted)
