"""Clips whose pose is known: animated meshes seen by a random camera in light that registration is not told."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from skimage.measure import marching_cubes
from torch.nn.functional import normalize

from shapegen4d_core.data.procedural import ProceduralSettings, build_asset
from shapegen4d_core.geometry.decimate import decimate
from shapegen4d_core.geometry.mesh import vertex_normals
from shapegen4d_core.importing import load_sequence
from shapegen4d_core.registration.pose.poses import pose_of, rotations
from shapegen4d_core.rendering.rasterise import rasterise
from shapegen4d_core.rendering.views import clip_camera
from shapegen4d_core.sequence import Camera, Clip, MeshSequence

PANDA = Path(__file__).parents[1] / "tests/data/animated/panda_walk.glb"
SUBJECTS = (
    "panda", "quadruped", "biped", "bird", "metaballs", "bender", "arm", "fish", "plant", "pulsar",
)  # fmt: skip
SIZE, FOV, FRAMES = 256, 40.0, 8
FACES = 12000


@dataclass(frozen=True)
class PoseCase:
    """A clip, the meshes given to registration, and the true object to camera transform."""

    name: str
    meshes: MeshSequence
    clip: Clip
    rotation: torch.Tensor
    translation: torch.Tensor


def subject(name: str, seed: int, folder: Path) -> MeshSequence:
    """One animated mesh of FRAMES frames in [-1,1]^3, kept in ``folder`` for the next time."""
    path = folder / f"{name}_{seed}.safetensors"
    if path.is_file():
        return MeshSequence.load(path)
    meshes = _panda() if name == "panda" else _procedural(name, seed)
    folder.mkdir(parents=True, exist_ok=True)
    meshes.save(path)
    return meshes


def _panda() -> MeshSequence:
    meshes = load_sequence(PANDA)
    chosen = np.linspace(0, meshes.frame_count - 1, FRAMES).round().astype(int)
    low, high = meshes.bounds()
    centre, half = (low + high) / 2, float((high - low).max()) / 2
    vertices = tuple(((meshes.vertices[t] - centre) / half).astype(np.float32) for t in chosen)
    return replace(meshes, vertices=vertices, faces=tuple(meshes.faces[t] for t in chosen), normals=None)


def _procedural(family: str, seed: int, side: int = 88) -> MeshSequence:
    asset = build_asset(family, seed, ProceduralSettings(frames=FRAMES, frame="canonical"))
    axis = np.linspace(-1.05, 1.05, side)
    grid = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), -1).reshape(-1, 3)
    vertices, faces = [], []
    for frame in range(FRAMES):
        values = asset.field(frame, grid).reshape(side, side, side)
        points, triangles, _, _ = marching_cubes(values, 0.0)
        points = (points * (axis[1] - axis[0]) - 1.05).astype(np.float32)
        points, triangles = decimate(points, np.ascontiguousarray(triangles[:, ::-1], np.int32), FACES)
        vertices.append(points)
        faces.append(triangles)
    return MeshSequence(tuple(vertices), tuple(faces), fps=8.0, name=f"{family}{seed}")


def make_case(
    name: str, seed: int, folder: Path, mismatch: float = 0.0, roll: bool = False, frames: int = FRAMES
) -> PoseCase:
    """A random camera anywhere around the subject, off its centre, and pictures of it.

    ``mismatch`` is the root mean square length, in half boxes, of a smooth displacement of the meshes given to
    registration, drawn anew in every frame; the pictures show the true ones.
    """
    rng = np.random.default_rng([seed, 11])
    true = subject(name, seed % 4 if name != "panda" else 0, folder)
    true = replace(true, vertices=true.vertices[:frames], faces=true.faces[:frames])
    low, high = true.bounds()
    pivot = torch.from_numpy((low + high) / 2).double()
    angles = [rng.uniform(-math.pi, math.pi), math.asin(rng.uniform(-1, 1))]
    angles.append(rng.uniform(-math.pi, math.pi) if roll else 0.0)
    depth = rng.uniform(3.6, 6.0)
    aim = rng.uniform(-0.06, 0.06, 2)
    row = torch.tensor([*angles, *aim, math.log(depth)], dtype=torch.float64)
    turn = rotations(row[None])[0]
    shift = torch.tensor([aim[0] * depth, aim[1] * depth, depth]).double() - turn @ pivot
    assert torch.allclose(rotations(pose_of(turn, shift, pivot)[None])[0], turn, atol=1e-6)
    clip = _film(true, turn, shift, rng)
    given = distorted(true, mismatch, rng) if mismatch else replace(true, uv=None, texture=None)
    return PoseCase(f"{name}-{seed}", given, clip, turn, shift)


def _film(meshes: MeshSequence, turn: torch.Tensor, shift: torch.Tensor, rng: np.random.Generator) -> Clip:
    """Pictures under one lamp and even light from all around, or the texture in that light; a little noise."""
    blank = Clip(torch.zeros(meshes.frame_count, SIZE, SIZE, 4), meshes.fps, meshes.name)
    k = clip_camera(Camera(0.0, 0.0, 1.0, (0.0, 0.0, 0.0), FOV, SIZE, SIZE), blank)[0]
    fine = 3
    k = k * torch.tensor([fine, fine, 1.0])[:, None].double()
    lamp = rng.normal(size=3) * (1, 1, 0.5) + (0, -0.8, -0.9)  # camera axes: y down, z away
    lamp = torch.from_numpy(lamp / np.linalg.norm(lamp)).float()
    ambient, colour = float(rng.uniform(0.2, 0.45)), torch.from_numpy(rng.uniform(0.5, 0.95, 3)).float()
    frames = []
    for vertices, faces in zip(meshes.vertices, meshes.faces):
        points, corners = torch.from_numpy(vertices), torch.from_numpy(faces).long()
        raster = rasterise(points, corners, k, turn, shift, (SIZE * fine, SIZE * fine))
        seen = raster.face_id >= 0
        picked, weights = corners[raster.face_id[seen]], raster.barycentric[seen][..., None]
        normals = torch.from_numpy(vertex_normals(vertices, faces))
        facing = normalize((normals[picked] * weights).sum(1) @ turn.float().T, dim=1)
        facing = torch.where((facing[:, 2:] > 0.3), -facing, facing)
        light = ambient + (1 - ambient) * (facing @ lamp).clamp(min=0)
        paint = colour.expand(len(light), 3) if meshes.uv is None else _texture(meshes, picked, weights)
        picture = torch.zeros(*seen.shape, 4)
        picture[seen] = torch.cat([paint * light[:, None], torch.ones(len(light), 1)], 1)
        sums = picture.view(SIZE, fine, SIZE, fine, 4).sum(dim=(1, 3))
        rgb = sums[..., :3] / sums[..., 3:].clamp(min=1)
        frames.append(torch.cat([rgb, sums[..., 3:] / fine**2], -1))
    film = torch.stack(frames)
    film[..., :3] += torch.from_numpy(rng.normal(0, 0.01, film[..., :3].shape)).float() * (film[..., 3:] > 0)
    return replace(blank, frames=film.clamp(0, 1))


def _texture(meshes: MeshSequence, picked: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    at = (torch.from_numpy(meshes.uv)[picked] * weights).sum(1) % 1.0
    picture = torch.from_numpy(meshes.texture[..., :3].astype(np.float32)) / 255
    height, width = picture.shape[:2]
    row, column = ((1 - at[:, 1]) * height).long().clamp(0, height - 1), (at[:, 0] * width).long().clamp(0, width - 1)
    return picture[row, column]


def distorted(meshes: MeshSequence, strength: float, rng: np.random.Generator) -> MeshSequence:
    """The meshes displaced by smooth noise (six waves of 1.2 to 4 half boxes), of its own in every frame."""
    vertices = []
    for points in meshes.vertices:
        moved = np.zeros_like(points, dtype=np.float64)
        for _ in range(6):
            direction = rng.normal(size=3)
            wave = direction / np.linalg.norm(direction) * 2 * math.pi / rng.uniform(1.2, 4.0)
            moved += np.sin(points @ wave + rng.uniform(0, 2 * math.pi))[:, None] * rng.normal(size=3)
        moved *= strength / np.sqrt((moved**2).sum(1).mean())
        vertices.append((points + moved).astype(np.float32))
    return replace(meshes, vertices=tuple(vertices), normals=None, uv=None, texture=None)
