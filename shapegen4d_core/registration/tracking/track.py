"""A sequence of independent meshes to one topology: the anchor's mesh carried to every frame (paper, A.2.1).

Frames are fitted outward from the anchor, each from its neighbour's result; rigidity is measured against both, so that
distortion does not add up without end along the way. Where the topology really changes a new segment begins.
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
TORN = 0.15  # share of the surfaces without a partner at which a mesh has lost what it follows


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
    parts = run.tracked()
    report = TrackReport(
        frames=tuple(run.reports(parts)),
        anchors=tuple(part.anchor for part in parts),
        faces=tuple(len(part.faces) for part in parts),
        source_faces=tuple(len(meshes.faces[part.anchor]) for part in parts),
        seconds=time.perf_counter() - began,
    )
    segments = tuple((min(part.shapes), max(part.shapes) + 1) for part in parts)
    return TrackResult(_sequence(meshes, parts, box, settings), segments, report)


@dataclass(frozen=True)
class _Part:
    """One tracked segment: ``shapes`` [V,3] by frame in the unit box, shared ``faces`` [F,3], and from which frame's
    shape each frame was fitted.
    """

    anchor: int
    faces: np.ndarray
    shapes: dict[int, np.ndarray]
    starts: dict[int, int]


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
        self.loops = {change.frame: change.why for change in found if not change.certain}
        self._refuse_changes()
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

    def tracked(self) -> list[_Part]:
        """All segments; those in which the mesh loses the surface are cut there and their rest begins anew."""
        waiting, parts = self.segments[::-1], []
        while waiting:
            first, stop = waiting.pop()
            part = self._segment(first, stop)
            parts.append(part)
            low, high = min(part.shapes), max(part.shapes) + 1
            waiting += [ends for ends in ((high, stop), (first, low)) if ends[0] < ends[1]]
        return sorted(parts, key=lambda part: min(part.shapes))

    def _segment(self, first: int, stop: int) -> _Part:
        """Track the frames ``first`` to ``stop`` - 1 outward from the anchor, as far as one mesh can follow."""
        settings = self.settings
        anchor = choose_anchor(self.frames, first, stop, settings.anchor, self.check)
        vertices, faces = template_mesh(*self.frames[anchor], settings.faces)
        fitter = Fitter(Template(vertices, faces, settings.samples, settings.seed), settings)
        part = _Part(anchor, faces, {anchor: vertices.astype(np.float64)}, {anchor: anchor})
        for way, step in ((range(anchor + 1, stop), 1), (range(anchor - 1, first - 1, -1), -1)):
            reached = self._outward(fitter, part, way, step)
            if settings.bidirectional:
                self._back(fitter, part.shapes, reached, step)
        return part

    def _outward(self, fitter: Fitter, part: _Part, way: Sequence[int], step: int) -> list[int]:
        """Fit the frames of ``way`` one after the other, from each neighbour; returns those that were reached."""
        reached = []
        for frame in way:
            shape = self._fit(fitter, part.shapes[frame - step], frame)
            target = fitter.target(*self.frames[frame], frame)
            if self.settings.refit and abs(frame - part.anchor) % self.settings.refit == 0:
                again = self._fit(fitter, part.shapes[part.anchor], frame, ticks=0)
                shape = min((shape, again), key=lambda found: fitter.misfit(found, target))
            lost = fitter.unmatched(shape, target)
            if self.settings.on_change != "force" and lost > TORN:
                self._tear(frame if step > 0 else frame + 1, lost)
                return reached
            part.shapes[frame], part.starts[frame] = shape, frame - step
            reached.append(frame)
        return reached

    def _tear(self, frame: int, lost: float) -> None:
        """Note that the mesh loses the surface at ``frame``; raises InputError when changes are refused."""
        why = f"{100 * lost:.0f} % of the surface without a partner"
        self.changes[frame] = ", ".join(word for word in (self.loops.get(frame), why) if word)
        self._refuse_changes()

    def _refuse_changes(self) -> None:
        if self.changes and self.settings.on_change == "error":
            at, why = min(self.changes.items())
            raise InputError(
                f"The topology changes at frame {at + 1} ({why}); set on_change to split or force, or cut the clip."
            )

    def reports(self, parts: list[_Part]) -> list[FrameReport]:
        """The report of every frame."""
        rows = []
        for number, part in enumerate(parts):
            judge = Judge(part.shapes[part.anchor], part.faces, self.settings.seed)
            for frame in sorted(part.shapes):
                start, shape = part.shapes[part.starts[frame]], part.shapes[frame]
                rows.append(judge(frame, number, start, shape, self.frames[frame], self.changes.get(frame, "")))
                self._ticker(1)(1, 1)
                if self.check is not None:
                    self.check()
        return rows

    def _fit(self, fitter: Fitter, start: np.ndarray, frame: int, ticks: int | None = None) -> np.ndarray:
        target = fitter.target(*self.frames[frame], frame)
        return fitter.fit(start, target, self._ticker(self.per_fit if ticks is None else ticks), self.check)

    def _back(self, fitter: Fitter, shapes: dict[int, np.ndarray], way: list[int], step: int) -> None:
        """Fit each frame again from the one after it, from the end of ``way``; keep whichever is nearer."""
        self._ticker(self.per_fit if way else 0)(1, 1)  # of the end itself, which stays
        for frame in way[-2::-1]:
            again = self._fit(fitter, shapes[frame + step], frame)
            target = fitter.target(*self.frames[frame], frame)
            if fitter.misfit(again, target) < fitter.misfit(shapes[frame], target):
                shapes[frame] = again


def _sequence(meshes: MeshSequence, parts: list[_Part], box: UnitBox, settings: TrackSettings) -> MeshSequence:
    """The tracked frames in the lengths and the place of ``meshes``."""
    rows = {frame: (shape, part.faces) for part in parts for frame, shape in part.shapes.items()}
    vertices = [(rows[t][0] * box.half_side + box.centre).astype(np.float32) for t in range(meshes.frame_count)]
    faces = [rows[t][1] for t in range(meshes.frame_count)]
    noted = {**meshes.settings, "tracking": {**settings.to_dict(), "anchors": [part.anchor for part in parts]}}
    normals = tuple(vertex_normals(points, triangles) for points, triangles in zip(vertices, faces))
    return MeshSequence(tuple(vertices), tuple(faces), meshes.fps, meshes.name, normals=normals, settings=noted)
