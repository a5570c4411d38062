"""What a program showed of a file, and how far that is from the sequence that was written."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from tests.clients.cases import Written


@dataclass(frozen=True)
class Seen:
    """What one program shows of one file at its three times; ``facts`` are what it says of rate, range and names."""

    positions: list[np.ndarray]  # [V,3] each, y up
    corners: list[np.ndarray]  # [F,3] each
    uv: list[np.ndarray]  # [F,3,2] each, origin bottom left, or without rows
    facts: dict
    texture: np.ndarray | None = None
    screenshots: list[np.ndarray] = field(default_factory=list)  # [H,W,4] uint8 each, alpha 0 where nothing is
    normals: list[np.ndarray] = field(default_factory=list)  # the same with normals as colours, in view space


def largest_error(written: Written, seen: Seen) -> float:
    """Largest distance, along one axis, of a triangle's corner from where it belongs, over the longest side of the box.

    Corners are compared in the order of the faces, so a program may split or join vertices. Raises AssertionError when
    another number of triangles is seen.
    """
    low, high = written.sequence.bounds()
    side = float((high - low).max())
    worst = 0.0
    for seconds, positions, corners in zip(written.seconds, seen.positions, seen.corners):
        vertices, faces = written.expected(seconds)
        assert len(corners) == len(faces), f"{len(corners)} triangles at {seconds:.3f} s, {len(faces)} were written"
        if len(faces):
            worst = max(worst, float(np.abs(positions[corners] - vertices[faces]).max()) / side)
    return worst


def largest_uv_error(written: Written, seen: Seen) -> float:
    """Largest difference of a corner's texture coordinate; infinite when the program has none."""
    faces = written.sequence.faces[0]
    expected = written.sequence.uv[faces]
    return max(float(np.abs(uv - expected).max()) if uv.shape == expected.shape else np.inf for uv in seen.uv)


def largest_camera_error(written: Written, seen: Seen) -> float:
    """Largest difference of the camera's place, direction and field of view (in half turns), one camera per frame."""
    worst = 0.0
    for seconds, found in zip(written.seconds, seen.facts["cameras"], strict=True):
        wanted = written.case.cameras[written.frames_at(seconds)[0]]
        pairs = [(found["eye"], wanted.eye()), (found["forward"], -wanted.axes()[2])]
        pairs.append(([found["fov_degrees"] / 180], [wanted.fov_degrees / 180]))
        worst = max(worst, *(float(np.abs(np.subtract(*pair)).max()) for pair in pairs))
    return worst
