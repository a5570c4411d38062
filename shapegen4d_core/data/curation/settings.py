"""What a curated shard holds and which assets are refused; presets for the two model sizes."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

from ...errors import InputError
from ..shard_file import FRAMES

ROOT_MOTIONS = ("remove", "keep")


@dataclass(frozen=True)
class CurationSettings:
    """Sizes, pictures and limits of curation; lengths in half boxes unless said, angles in degrees.

    ``fps`` None spreads ``frames`` over the whole animation, a number takes the first ``frames`` at that rate.
    ``frame`` "canonical" keeps the asset's axes (one shard with all views); "view" writes one shard per view, turned
    to it. Raises InputError for values out of range.
    """

    frames: int = 16
    fps: float | None = None
    frame: str = "canonical"
    root_motion: str = "remove"
    margin: float = 0.97
    bounds: float = 1.05
    seed: int = 0
    # -- geometry
    resolution: int = 256
    truncation: float = 0.01
    near_deviations: tuple[float, float] = (0.005, 0.05)
    surface_points: int = 16384
    sharp_points: int = 16384
    sharp_degrees: float = 30.0
    aligned_points: int = 512
    aligned_sharp_points: int = 512
    near_points: int = 16384
    uniform_points: int = 8192
    # -- pictures
    views: int = 4
    image_size: int = 518
    supersampling: int = 2
    foreground_ratio: float = 0.95
    fov_degrees: float = 35.0
    elevation_degrees: tuple[float, float] = (-10.0, 30.0)
    # -- limits
    least_faces: int = 50
    least_motion: float = 0.01
    most_spread: float = 4.0
    most_step: float = 0.6
    most_dominance: float = 15.0
    least_coverage: float = 0.01

    def __post_init__(self) -> None:
        least = {"frames": 2, "resolution": 16, "views": 1, "image_size": 8, "supersampling": 1, "surface_points": 1}
        least |= dict.fromkeys(("sharp_points", "aligned_sharp_points", "near_points", "uniform_points"), 0)
        least |= {"aligned_points": 1, "least_faces": 1}
        for name, low in least.items():
            if getattr(self, name) < low:
                raise InputError(f"{name} is {getattr(self, name)}, accepted is at least {low}.")
        for name in ("truncation", "fps", "fov_degrees", "margin", "foreground_ratio"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise InputError(f"{name} is {value}, accepted is a positive number.")
        if self.margin > 1 or self.foreground_ratio > 1 or self.fov_degrees > 120:
            raise InputError("margin and foreground_ratio go up to 1, fov_degrees up to 120.")
        for name, choices in (("frame", FRAMES), ("root_motion", ROOT_MOTIONS)):
            if getattr(self, name) not in choices:
                raise InputError(f"{name}={getattr(self, name)!r} is unknown; use {' or '.join(map(repr, choices))}.")


FULL = CurationSettings()
"""For the full-size model: sizes of its published recipe."""

TINY = replace(
    FULL,
    frames=8,
    frame="view",
    resolution=128,
    truncation=0.1,
    near_deviations=(0.021, 0.06),
    surface_points=2048,
    sharp_points=0,
    aligned_points=256,
    aligned_sharp_points=0,
    near_points=1536,
    uniform_points=1024,
    views=2,
    image_size=84,
    supersampling=3,
    foreground_ratio=0.9,
    elevation_degrees=(0.0, 20.0),
)
"""For the bundled model: the same arrays and conventions as the procedural clips."""

PRESETS = {"tiny": TINY, "full": FULL}


def preset(name: str, **changes: object) -> CurationSettings:
    """A preset with the given fields replaced, those that are None left alone; raises InputError."""
    if name not in PRESETS:
        raise InputError(f"The preset {name!r} is unknown; choose one of {', '.join(PRESETS)}.")
    known = {field.name for field in fields(CurationSettings)}
    given = {key: value for key, value in changes.items() if key in known and value is not None}
    return replace(PRESETS[name], **given)
