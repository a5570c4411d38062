"""Animated procedural assets as training clips: field samples, aligned surface points and RGBA frames.

Conventions of the result: right-handed, y up, field positive inside and truncated; the whole sequence in [-1,1]^3 by
one box over all frames. With ``frame="view"`` the object is turned so that the camera looks along -z (the azimuth is
part of the shape); with ``"canonical"`` the object keeps its own axes and only the pictures depend on the azimuth.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field

import numpy as np
import torch

from ..errors import InputError
from ..geometry.sampling import farthest_point_sampling
from . import fields
from .families import FAMILIES
from .parts import BEND_X, BEND_Z, TWIST, WAVE_AMPLITUDE, Pose, rotation
from .pictures import picture_window, render_clip


@dataclass(frozen=True)
class ProceduralSettings:
    """How many samples a clip holds and how it is seen; lengths in half boxes, angles in degrees."""

    frames: int = 8
    image_size: int = 84
    surface_points: int = 2048
    near_points: int = 1536
    uniform_points: int = 1024
    aligned_points: int = 256
    truncation: float = 0.1
    near_deviation: float = 0.06
    frame: str = "view"
    margin: float = 0.97
    foreground_ratio: float = 0.9
    fov_degrees: float = 35.0
    elevation_degrees: tuple[float, float] = (0.0, 20.0)
    fps: float = 8.0


@dataclass
class Look:
    """Camera, light and surface pattern of one clip."""

    azimuth_degrees: float
    elevation_degrees: float
    palette: np.ndarray
    pattern: int
    pattern_scale: float
    light: np.ndarray
    ambient: float


@dataclass
class Asset:
    """One animated object: packed poses per frame, its look, and the map from object space to the unit box."""

    family: str
    seed: int
    settings: ProceduralSettings
    poses: list[tuple]
    scales: np.ndarray
    colour: np.ndarray
    look: Look
    slope: float
    turn: np.ndarray = field(default_factory=lambda: np.eye(3))
    centre: np.ndarray = field(default_factory=lambda: np.zeros(3))
    zoom: float = 1.0

    def to_object(self, points: np.ndarray) -> np.ndarray:
        """Positions [P,3] of the unit box in the object's own space."""
        return np.ascontiguousarray((np.asarray(points, dtype=float) / self.zoom + self.centre) @ self.turn)

    def to_box(self, points: np.ndarray) -> np.ndarray:
        """Positions [P,3] of object space in the unit box."""
        return (points @ self.turn.T - self.centre) * self.zoom

    def field(self, frame: int, points: np.ndarray, first_order: bool = True) -> np.ndarray:
        """Signed distance [P] at ``points [P,3]`` of the unit box, positive inside, in half boxes, not truncated."""
        return -self.zoom * fields.distances(*self.poses[frame], self.to_object(points), first_order)


def _pack(pose: Pose) -> tuple:
    parts = pose.parts
    return (
        np.array([p.kind for p in parts]),
        np.array([p.size for p in parts], dtype=float),
        np.stack([np.ascontiguousarray(p.rotation, dtype=float) for p in parts]),
        np.stack([p.position for p in parts]).astype(float),
        np.array([p.bound for p in parts], dtype=float),
        float(pose.blend),
        pose.warp.astype(float),
    )


def _draw_look(rng: np.random.Generator, settings: ProceduralSettings) -> Look:
    palette = rng.uniform(0.15, 0.95, (4, 3))
    if rng.random() < 0.35:
        palette[:] = palette[0] * rng.uniform(0.8, 1.2, (4, 1))
    light = rng.normal(size=3) * np.array([1.0, 0.5, 0.6]) + np.array([0, 0.9, 0.8])
    return Look(
        float(rng.uniform(0, 360)),
        float(rng.uniform(*settings.elevation_degrees)),
        palette.clip(0.05, 1),
        int(rng.integers(0, 4)) if rng.random() < 0.5 else 0,
        float(rng.uniform(8, 25)),
        light / np.linalg.norm(light),
        float(rng.uniform(0.2, 0.45)),
    )


def asset_generator(family: str, seed: int) -> np.random.Generator:
    """The generator that every draw of one asset comes from."""
    return np.random.default_rng([zlib.crc32(family.encode()), seed])


def build_asset(family: str, seed: int, settings: ProceduralSettings | None = None) -> Asset:
    """Draw one animated asset and normalise it to one box over all frames.

    Raises InputError for an unknown family or frame convention.
    """
    settings = settings or ProceduralSettings()
    if family not in FAMILIES:
        raise InputError(f"family {family!r} is unknown; choose one of {', '.join(FAMILIES)}")
    if settings.frame not in ("view", "canonical"):
        raise InputError(f"frame={settings.frame!r} is unknown; use 'view' or 'canonical'")
    rng = asset_generator(family, seed)
    pose_at = FAMILIES[family](rng)
    start = float(rng.uniform(0, 1))
    periodic = settings.frames
    poses = [
        pose_at(
            (start + t / periodic) % 1.0
            if family not in ("plant", "arm", "bender", "biped")
            else t / max(1, periodic - 1)
        )
        for t in range(settings.frames)
    ]
    look = _draw_look(rng, settings)
    warps = np.abs(np.stack([p.warp for p in poses])).max(axis=0)
    slope = 1.0 + 0.35 * warps[TWIST] + 1.2 * (warps[BEND_X] + warps[BEND_Z]) + 3.0 * warps[WAVE_AMPLITUDE]
    asset = Asset(
        family,
        seed,
        settings,
        [_pack(p) for p in poses],
        np.stack([[part.scale for part in p.parts] for p in poses]),
        np.array([part.colour for part in poses[0].parts]),
        look,
        slope,
    )
    if settings.frame == "view":
        asset.turn = rotation("y", -look.azimuth_degrees)
    _normalise(asset, int(rng.integers(1 << 30)))
    return asset


def _normalise(asset: Asset, seed: int) -> None:
    low, high = np.full(3, np.inf), np.full(3, -np.inf)
    for t in range(asset.settings.frames):
        points, _ = surface_in_object(asset, t, 1200, seed + t)
        points = points @ asset.turn.T
        low, high = np.minimum(low, points.min(0)), np.maximum(high, points.max(0))
    asset.centre = (low + high) / 2
    asset.zoom = 2 * asset.settings.margin / float((high - low).max())


def surface_in_object(asset: Asset, frame: int, count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Nearly area-uniform surface points and outward normals, both [count,3], in object space."""
    pose = asset.poses[frame]
    reach = pose[4][:, None] + 0.02
    corners = np.concatenate([pose[3] - reach, pose[3] + reach])
    low, high = corners.min(0), corners.max(0)
    warp = pose[6]
    sway = np.abs(warp[[BEND_X, BEND_Z]]) * max(abs(low[1]), abs(high[1])) ** 2
    wave = abs(warp[WAVE_AMPLITUDE]) * 2.2
    spin = 0.0 if warp[TWIST] == 0 else 0.45 * max(high[0] - low[0], high[2] - low[2])
    grow = np.array([sway[0] + spin, 0.0, sway[1] + spin + wave])
    low, high = low - grow, high + grow
    found = fields.shell_samples(*pose, low, high, 0.03, count, 4_000_000, seed)
    if len(found) < count:
        found = found[np.random.default_rng(seed).integers(0, len(found), count)]
    return fields.project(*pose, found, 4)


def _carried(asset: Asset, seed: int) -> np.ndarray:
    """Aligned points [T,count,6] (position, outward normal): frame 1 by farthest points, then carried by the parts."""
    count = asset.settings.aligned_points
    dense, _ = surface_in_object(asset, 0, 1536, seed)
    chosen = dense[farthest_point_sampling(torch.from_numpy(dense)[None], count)[0].numpy()]
    first = asset.poses[0]
    part, local = fields.local_coordinates(*first[:4], first[6], chosen)
    unit = local / asset.scales[0][part]
    rows = []
    for t, pose in enumerate(asset.poses):
        placed = fields.place(pose[2], pose[3], pose[6], part, unit * asset.scales[t][part])
        points, normals = fields.project(*pose, placed, 8)
        rows.append(np.concatenate([asset.to_box(points), normals @ asset.turn.T], axis=1))
    return np.stack(rows)


def build_clip(family: str, seed: int, settings: ProceduralSettings | None = None) -> dict[str, np.ndarray]:
    """One training clip.

    Returns ``surface [T,P,6]`` (position, outward normal), ``aligned [T,Q,6]``, ``near [T,P,4]`` and
    ``uniform [T,P,4]`` (position, field positive inside, truncated to [-1,1]) as float16, and ``rgba
    [T,S,S,4]`` uint8 straight alpha.
    """
    asset = build_asset(family, seed, settings)
    s, rng = asset.settings, np.random.default_rng([seed, 7])
    surface, near, uniform = [], [], []
    for t in range(s.frames):
        points, normals = surface_in_object(asset, t, s.surface_points, seed * 131 + t)
        points = asset.to_box(points)
        surface.append(np.concatenate([points, normals @ asset.turn.T], axis=1))
        jitter = rng.normal(size=(s.near_points, 3)) * s.near_deviation * rng.choice([0.35, 1.0], (s.near_points, 1))
        close = (points[rng.integers(0, len(points), s.near_points)] + jitter).clip(-1.05, 1.05)
        far = rng.uniform(-1.05, 1.05, (s.uniform_points, 3))
        for rows, where in ((near, close), (uniform, far)):
            value = (asset.field(t, where) / s.truncation).clip(-1, 1)
            rows.append(np.concatenate([where, value[:, None]], axis=1))
    window = picture_window(asset, [rows[:, :3] for rows in surface])
    return {
        "surface": np.stack(surface).astype(np.float16),
        "aligned": _carried(asset, seed * 131 + 99).astype(np.float16),
        "near": np.stack(near).astype(np.float16),
        "uniform": np.stack(uniform).astype(np.float16),
        "rgba": render_clip(asset, window),
    }
