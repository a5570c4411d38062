"""The files that are opened in other programs: one row for every format and every way of writing it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from shapegen4d_core.export import write_glb
from shapegen4d_core.sequence import MeshSequence
from tests.clients.bodies import moving, remeshed

TOLERANCE = 1e-4  # of the longest side of the box


@dataclass(frozen=True)
class Case:
    """One file: what is in it, how it is written, how a program opens it and whether it blends between frames."""

    name: str
    make: Callable[[], MeshSequence]
    write: Callable[[MeshSequence, Path], Path]
    opens: str = "glb"
    linear: bool = False
    programs: tuple[str, ...] = ("Blender", "three.js")


@dataclass(frozen=True)
class Written:
    """A case on disk with the three times, in seconds, at which programs are asked what they show."""

    case: Case
    sequence: MeshSequence
    path: Path

    @property
    def seconds(self) -> list[float]:
        """A quarter of a frame into the first, the middle and the last frame."""
        count = self.sequence.frame_count
        return [(frame + 0.25) / self.sequence.fps for frame in (0, count // 2, count - 1)]

    def expected(self, seconds: float) -> tuple[np.ndarray, np.ndarray]:
        """Vertices [V,3] float64 and faces [F,3] that should be seen at a time; the last frame holds to the end."""
        last = self.sequence.frame_count - 1
        frame = min(int(seconds * self.sequence.fps), last)
        vertices = self.sequence.vertices[frame].astype(np.float64)
        if self.case.linear and frame < last:
            share = seconds * self.sequence.fps - frame
            vertices = (1 - share) * vertices + share * self.sequence.vertices[frame + 1]
        return vertices, self.sequence.faces[frame]


def glb(name: str, **options) -> Callable[[MeshSequence, Path], Path]:
    """A writer of one GLB with these options, as a case holds it."""
    return lambda sequence, folder: write_glb(sequence, folder / f"{name}.glb", **options)


def cases() -> list[Case]:
    """Every row of the table."""
    return [
        Case("GLB morph, STEP", moving, glb("step")),
        Case("GLB morph, LINEAR", moving, glb("linear", interpolation="LINEAR"), linear=True),
        Case("GLB morph, 12.5 fps", lambda: moving(fps=12.5), glb("odd")),
        Case("GLB morph, unlit", moving, glb("unlit", unlit=True)),
        Case("GLB flip book", remeshed, glb("flip")),
        Case("GLB flip book, frames empty", lambda: remeshed(empty=(6,)), glb("gap")),
    ]


def write_all(folder: Path, wanted: list[Case]) -> list[Written]:
    """Write every case into a folder of its own."""
    done = []
    for number, case in enumerate(wanted):
        place = folder / f"case{number:02d}"
        place.mkdir()
        sequence = case.make()
        done.append(Written(case, sequence, case.write(sequence, place)))
    return done
