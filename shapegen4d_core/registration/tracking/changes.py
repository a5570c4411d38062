"""Where a sequence really changes its topology: parts that merge or separate, hollows that open or close.

Counted on the solid inside each mesh after gaps, bridges and specks of less than two cells are gone, so that the
handles and specks of surface extraction mean nothing. Loops (a hand that touches the hip) are counted and reported,
but a mesh can usually be carried through them; whether it was, the fit shows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...geometry.solid_topology import SolidTopology, inside_grid, solid_topology, without_small
from ...progress import Check, Progress, tick

RESOLUTION = 80  # cells along the box of the sequence
SMALLEST = 1  # cells; half the width of the thinnest bridge or gap that counts
BOUNDS = 1.05  # half boxes


@dataclass(frozen=True)
class Change:
    """What changes at a frame against the one before: a sentence for people, and whether no mesh can follow it."""

    frame: int
    why: str
    certain: bool


def count_topology(
    frames: list[tuple[np.ndarray, np.ndarray]], progress: Progress | None = None, check: Check | None = None
) -> list[SolidTopology]:
    """Parts, loops and hollows of every frame [V,3], [F,3] in the unit box."""
    counts = []
    for number, mesh in enumerate(frames, start=1):
        inside = inside_grid(*mesh, RESOLUTION, BOUNDS)
        counts.append(solid_topology(without_small(inside, SMALLEST)))
        tick(progress, check, number, len(frames))
    return counts


def list_changes(counts: list[SolidTopology]) -> list[Change]:
    """The changes between frames that follow each other; parts and hollows are certain, loops alone are not."""
    changes = []
    for frame, (before, now) in enumerate(zip(counts, counts[1:]), start=1):
        differ = [
            f"{name} {getattr(before, name)} to {getattr(now, name)}"
            for name in ("parts", "loops", "hollows")
            if getattr(before, name) != getattr(now, name)
        ]
        if differ:
            certain = (before.parts, before.hollows) != (now.parts, now.hollows)
            changes.append(Change(frame, ", ".join(differ), certain))
    return changes
