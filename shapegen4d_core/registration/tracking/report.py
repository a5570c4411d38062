"""What can be said about a tracked sequence without knowing the true motion, frame by frame.

Lengths in half boxes of the whole sequence. Both clouds of a Chamfer distance are samples, so two samples of the
same surface are apart as well: that distance is the floor, and no fit can be judged below it.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...geometry.arap import Arap
from ...geometry.distances import cloud_distances, tree_of
from ...geometry.laplacian import undirected_edges
from ...geometry.mesh import area_vectors, vertex_normals
from ...geometry.self_intersection import self_intersections
from ...geometry.surface_points import choose_points
from .surface import unit

POINTS = 10_000
MATCHED = 0.05  # half boxes; a point with nothing that looks the same way within this has no partner
GOOD_RATIO, GOOD_FLIPPED, GOOD_CROSSING, GOOD_UNMATCHED = 1.5, 0.002, 0.02, 0.02


@dataclass(frozen=True)
class FrameReport:
    """One frame: fit, soundness, and whether the topology changed.

    ``before`` and ``after``: Chamfer distance (sum of both means) to the frame's own mesh of the neighbour it started
    from and of the result; ``floor``: between two samples of that mesh. ``unmatched``: share 0..1 of both surfaces
    with no like-facing partner within 5 % of the half box. ``flipped``, ``crossing``: shares of faces turned over
    against their corners' own rotations, and of faces that pass through others, as those of a pleat do, whose corners
    turn with it. ``strain``: mean |log2| of edge lengths over the anchor's, ``strain_most`` its
    99th percentile. ``change``: why a new topology begins here, empty when none does. ``segment`` counts from 0.
    """

    frame: int
    segment: int
    before: float
    after: float
    floor: float
    unmatched: float
    flipped: float
    crossing: float
    strain: float
    strain_most: float
    change: str = ""

    @property
    def ratio(self) -> float:
        """Chamfer distance over its floor: 1 is as good as can be measured."""
        return self.after / max(self.floor, 1e-12)


@dataclass(frozen=True)
class TrackReport:
    """Reports of all frames, faces carried and their source's count per segment, and the seconds it took."""

    frames: tuple[FrameReport, ...]
    anchors: tuple[int, ...]
    faces: tuple[int, ...]
    source_faces: tuple[int, ...]
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """JSON-able fields."""
        return dataclasses.asdict(self)

    def hints(self) -> list[str]:
        """One sentence per thing that is worse than a good track, frames counted from 1; empty when nothing is."""
        checks = (
            ("off the mesh that was given", lambda f: f.ratio > GOOD_RATIO, "more iterations or samples may help"),
            ("flipped faces", lambda f: f.flipped > GOOD_FLIPPED, "a higher last stiffness may help"),
            ("faces that cross others", lambda f: f.crossing > GOOD_CROSSING, "pleats, or parts in contact"),
            ("surface without a partner", lambda f: f.unmatched > GOOD_UNMATCHED, "parts touch or move far"),
        )
        said = []
        for what, bad, advice in checks:
            frames = [str(frame.frame + 1) for frame in self.frames if bad(frame)]
            if frames:
                said.append(f"Frame{'s' * (len(frames) > 1)} {', '.join(frames)}: {what}; {advice}.")
        return said

    def table(self) -> list[str]:
        """The figures as lines of text, frames and segments counted from 1."""
        lines = ["frame segment  before   after   floor  ratio unmatched flipped crossing strain  most  change"]
        for f in self.frames:
            lines.append(
                f"{f.frame + 1:5} {f.segment + 1:7} {f.before:7.4f} {f.after:7.4f} {f.floor:7.4f} {f.ratio:6.2f} "
                f"{100 * f.unmatched:7.2f} % {100 * f.flipped:5.2f} % {100 * f.crossing:6.2f} % {f.strain:6.3f} "
                f"{f.strain_most:5.2f}  {f.change}"
            )
        return lines


class Judge:
    """Measures one segment's frames; keeps what belongs to its anchor [V,3], [F,3]."""

    def __init__(self, rest: np.ndarray, faces: np.ndarray, seed: int) -> None:
        self.faces, self.seed = faces, seed
        self.arap = Arap.of_mesh(rest, faces)
        self.normals = unit(area_vectors(rest, faces))
        self.edges = undirected_edges(faces)
        self.lengths = self._lengths(rest)
        self.places = choose_points(rest, faces, POINTS, seed)

    def __call__(
        self,
        frame: int,
        segment: int,
        start: np.ndarray,
        result: np.ndarray,
        mesh: tuple[np.ndarray, np.ndarray],
        change: str,
    ) -> FrameReport:
        """The report of one frame: ``start`` and ``result`` [V,3] against its own ``mesh`` (vertices, faces)."""
        chosen = choose_points(*mesh, POINTS, self.seed + 1)
        points, tree = chosen.on(*mesh), tree_of(chosen.on(*mesh))
        normals = unit(chosen.on(vertex_normals(*mesh), mesh[1]))
        again = choose_points(*mesh, POINTS, self.seed + 2).on(*mesh)
        there = self._sampled(result)
        strain = np.abs(np.log2(np.maximum(self._lengths(result) / self.lengths, 2.0**-16)))
        return FrameReport(
            frame=frame,
            segment=segment,
            before=cloud_distances(self._sampled(start)[0], points, second_tree=tree).chamfer(),
            after=cloud_distances(there[0], points, second_tree=tree).chamfer(),
            floor=cloud_distances(again, points, second_tree=tree).chamfer(),
            unmatched=_unmatched(there, (points, normals)),
            flipped=float(self.flipped(result).mean()),
            crossing=float(self_intersections(result, self.faces).mean()),
            strain=float(strain.mean()),
            strain_most=float(np.percentile(strain, 99)),
            change=change,
        )

    def flipped(self, vertices: np.ndarray) -> np.ndarray:
        """Whether each face [F] looks away from where its corners' rotations since the anchor would turn it."""
        turns = self.arap.rotations(vertices)[self.faces].sum(axis=1)
        wanted = (turns @ self.normals[:, :, None])[:, :, 0]
        return (area_vectors(vertices, self.faces) * wanted).sum(axis=1) < 0

    def _lengths(self, vertices: np.ndarray) -> np.ndarray:
        ends = np.asarray(vertices, dtype=np.float64)[self.edges]
        return np.maximum(np.linalg.norm(ends[:, 0] - ends[:, 1], axis=1), 1e-9)

    def _sampled(self, vertices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        points = self.places.on(vertices, self.faces)
        return points, unit(self.places.on(vertex_normals(vertices, self.faces), self.faces))


def _unmatched(first: tuple[np.ndarray, np.ndarray], second: tuple[np.ndarray, np.ndarray]) -> float:
    """Share of the points of two oriented clouds without a partner within MATCHED that looks the same way."""
    reach = MATCHED / 2  # of normals, so that opposite ones are out of reach wherever they are
    features = [np.concatenate([points, reach * normals], axis=1) for points, normals in (first, second)]
    lone = 0
    for one, other in (features, features[::-1]):
        distance, _ = tree_of(other).query(one)
        lone += int((distance > MATCHED).sum())
    return lone / (len(first[0]) + len(second[0]))
