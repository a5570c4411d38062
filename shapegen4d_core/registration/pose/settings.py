"""How a pose is searched: one frozen dataclass, checked when made, and its two presets."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from ...errors import InputError
from ...setting_checks import check_between, check_choice, check_whole

PRESETS = ("default", "faithful")
PLACEMENTS = ("meshes", "camera")


@dataclass(frozen=True)
class PoseSettings:
    """Settings of :func:`shapegen4d_core.registration.pose.register_pose`.

    preset: "default" frames evenly spread views; "faithful" draws the published 2000 random cameras, keeps 200, moves
        them 25 times and takes 300 gradient steps on frame 1 alone (V2M4's counts; slow, for comparisons).
    fov_degrees: vertical field of view of the whole picture, 5 to 120.
    search_fov: also try fields of view from 20 to 60 degrees; takes about three times as long.
    frames: "all", or how many frames (spread over the clip, the first always among them) share in the refinement; of
        clips with more than 64 frames, 64 take part in the search.
    placement: "meshes" moves the meshes in front of a camera on the +z axis, as the paper does; "camera" leaves the
        meshes as they are and moves the camera.
    roll: also search a camera that is turned about its view axis.
    views: directions tried first, 16 to 4096.
    rivals: how many clearly different poses are followed to the end, 1 to 64.
    settle: whether these are fitted to the outlines at low size before they are compared.
    particles, moves: size and rounds of the particle swarm; 0 moves leaves it out.
    refine: whether the best pose is fitted to the outlines at the end.
    appearance: whether shading and edges inside the outline count; without, only outlines do.
    max_faces: meshes are simplified to this many faces for the search; the result is not.
    seed: start of the random numbers.
    """

    preset: str = "default"
    fov_degrees: float = 40.0
    search_fov: bool = False
    frames: str | int = "all"
    placement: str = "meshes"
    roll: bool = False
    views: int = 256
    rivals: int = 6
    settle: bool = True
    particles: int = 16
    moves: int = 4
    refine: bool = True
    appearance: bool = True
    max_faces: int = 4000
    seed: int = 0

    def __post_init__(self) -> None:
        check_choice("Pose setting preset", self.preset, PRESETS)
        check_choice("Pose setting placement", self.placement, PLACEMENTS)
        check_between("Pose setting fov_degrees", self.fov_degrees, 5, 120, " degrees")
        if self.frames != "all":
            check_whole("Pose setting frames", self.frames, 1, 1 << 20, ' or "all"')
        for name, low, high in (
            ("views", 16, 4096),
            ("rivals", 1, 64),
            ("particles", 2, 4096),
            ("moves", 0, 1000),
            ("max_faces", 200, 1 << 24),
            ("seed", 0, 2**64 - 1),
        ):
            check_whole(f"Pose setting {name}", getattr(self, name), low, high)
        for name in ("search_fov", "roll", "settle", "refine", "appearance"):
            if not isinstance(getattr(self, name), bool):
                raise InputError(f"Pose setting {name} is {getattr(self, name)!r}; accepted is true or false.")

    def to_dict(self) -> dict[str, Any]:
        """JSON-able fields."""
        return dataclasses.asdict(self)
