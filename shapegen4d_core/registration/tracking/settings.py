"""How a sequence is brought to one topology: one frozen dataclass, checked when made."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from ...errors import InputError
from ...setting_checks import check_between, check_choice, check_whole, is_finite

ANCHORS = ("first", "best")
ON_CHANGE = ("split", "force", "error")
SOLVERS = ("gauss-newton", "large-steps")
LEAST_FACES = 100


@dataclass(frozen=True)
class TrackSettings:
    """Settings of :func:`shapegen4d_core.registration.tracking.track_topology`.

    faces: most faces of the mesh that is carried along; the anchor frame is simplified to it, 100 or more.
    anchor: the frame whose mesh is carried: "first", "best" (the one most like all others) or its number from 0.
    bidirectional: run back from the ends as well and keep, frame by frame, the fit nearer to the mesh; twice the time.
    on_change: what happens where the topology really changes: "split" starts a new mesh there, "force" carries on,
        "error" refuses.
    iterations: rounds of closest points and solving per frame on the full mesh, at least 1.
    coarse_iterations: rounds on a graph of ``nodes`` nodes before them, for large motions; 0 leaves it out.
    nodes: nodes of that graph.
    samples: points drawn on each surface for the search of closest points.
    stiffness: (first, last) weight of rigidity against distance, lowered geometrically over the rounds.
    normal_weight: half boxes that opposite normals count for in the search, times one half.
    plane: share 0..1 of the distance along the normal only; the rest counts in every direction.
    memory: share 0..1 of the anchor's shape in what rigidity compares with; the rest is the frame before. More of it
        holds the lengths of edges over a long sequence, less of it leaves fewer folds where parts slide over others.
    smoothness: weight of the neighbours' rotations in each vertex's own, so that the mesh does not lie in pleats; 0 for
        plain rigidity.
    refit: every this many frames the anchor is also fitted directly, and the better fit is kept; 0 never.
    solver: "gauss-newton", or "large-steps" (preconditioned gradient descent of the same distances, for comparison).
    seed: start of the random numbers of all samples.
    """

    faces: int = 10_000
    anchor: str | int = "first"
    bidirectional: bool = False
    on_change: str = "split"
    iterations: int = 40
    coarse_iterations: int = 20
    nodes: int = 300
    samples: int = 8000
    stiffness: tuple[float, float] = (0.1, 0.001)
    normal_weight: float = 0.2
    plane: float = 0.3
    memory: float = 0.2
    smoothness: float = 4.0
    refit: int = 0
    solver: str = "gauss-newton"
    seed: int = 0

    def __post_init__(self) -> None:
        for name, least in (("faces", LEAST_FACES), ("iterations", 1), ("nodes", 8), ("samples", 100)):
            check_whole(f"Track setting {name}", getattr(self, name), least)
        for name in ("coarse_iterations", "refit", "seed"):
            check_whole(f"Track setting {name}", getattr(self, name), 0)
        if not isinstance(self.anchor, str):
            check_whole("Track setting anchor", self.anchor, 0)
        elif self.anchor not in ANCHORS:
            raise InputError(f"Track setting anchor is {self.anchor!r}; accepted are first, best or a frame number.")
        check_choice("Track setting on_change", self.on_change, ON_CHANGE)
        check_choice("Track setting solver", self.solver, SOLVERS)
        check_between("Track setting plane", self.plane, 0, 1)
        check_between("Track setting memory", self.memory, 0, 1)
        check_between("Track setting normal_weight", self.normal_weight, 0, 10, " half boxes")
        check_between("Track setting smoothness", self.smoothness, 0, 100)
        pair = self.stiffness
        if not isinstance(pair, tuple) or len(pair) != 2 or not all(is_finite(value) and value > 0 for value in pair):
            raise InputError(f"Track setting stiffness is {pair!r}; accepted are two positive numbers.")

    def to_dict(self) -> dict[str, Any]:
        """JSON-able fields."""
        return dataclasses.asdict(self)
