"""How far a rig is from the sequence it was fitted to, frame by frame.

Errors are distances of vertices in percent of the diagonal of the box around the whole sequence.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

GOOD_RMS, GOOD_WORST = 0.5, 5.0


@dataclass(frozen=True)
class RigReport:
    """``rms`` and ``worst`` distance over all vertices and frames, both in percent of the diagonal; per frame too.

    ``joints`` used, of ``joints_asked``; ``influences`` most joints of one vertex; ``target`` the error that was asked
    for, None when none was; ``iterations`` made; ``seconds`` they took; ``worst_frame`` from 0 and ``worst_vertex``.
    """

    joints: int
    joints_asked: int
    influences: int
    rms: float
    worst: float
    worst_frame: int
    worst_vertex: int
    frame_rms: tuple[float, ...]
    frame_worst: tuple[float, ...]
    iterations: int
    seconds: float
    target: float | None = None

    @property
    def met(self) -> bool:
        """Whether the error asked for was reached (always, when none was)."""
        return self.target is None or self.rms <= self.target

    def to_dict(self) -> dict[str, Any]:
        """JSON-able fields."""
        return dataclasses.asdict(self)

    def hints(self) -> list[str]:
        """One sentence per thing a user should know, frames counted from 1; empty for a rig that fits well."""
        said = []
        advice = "raise joints, or write" if self.joints == self.joints_asked else "write"  # more would not be used
        if not self.met:
            said.append(
                f"The rig is off by {self.rms:.3g} % of the box with {self.joints} joints, not {self.target:g} % as "
                f"asked; {advice} the sequence without a rig."
            )
        elif self.target is None and self.rms > GOOD_RMS:
            said.append(
                f"The rig is off by {self.rms:.2g} % of the box (root mean square): this motion is soft for "
                f"{self.joints} joints; {advice} the sequence without a rig."
            )
        if self.worst > GOOD_WORST:
            said.append(
                f"Frame {self.worst_frame + 1} has a vertex that is off by {self.worst:.2g} % of the box; look at it "
                "before you use the rig."
            )
        return said

    def table(self) -> list[str]:
        """The figures as lines of text, frames counted from 1."""
        lines = [
            f"{self.joints} joints, at most {self.influences} per vertex: off by {self.rms:.4f} % of the box (root "
            f"mean square), {self.worst:.3f} % at worst; {self.iterations} iterations, {self.seconds:.1f} s",
            "frame      rms    worst",
        ]
        for number, (rms, worst) in enumerate(zip(self.frame_rms, self.frame_worst), 1):
            lines.append(f"{number:5} {rms:7.4f}% {worst:7.3f}%")
        return lines
