"""Sequences without any symmetry, so that a swapped axis, a mirrored texture or a late frame shows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.spatial.transform import Rotation

from shapegen4d_core.sequence import MeshSequence

NAME = "F\u00fcchsin \u72d0"


def body(frame: float, frame_count: int, rings: int = 10, sectors: int = 14) -> tuple[np.ndarray, ...]:
    """A closed, bent body that leans, grows a horn and turns: vertices, faces and uv of a grid with one seam.

    The seam's two columns and the vertices of each pole lie in one place but have texture coordinates of their own.
    """
    phase = 2 * np.pi * frame / frame_count
    v, u = np.meshgrid(np.linspace(0, 1, rings + 1), np.linspace(0, 1, sectors + 1), indexing="ij")
    around, down = 2 * np.pi * np.where(u == 1, 0, u), np.pi * v
    horn = 0.5 * np.exp(-8 * ((u - 0.3) ** 2 + (v - 0.4) ** 2)) * (1 + np.sin(phase)) * np.sin(down)
    radius = np.where(v % 1 == 0, 0, np.sin(down) * (0.45 + 0.1 * v + horn * (u < 1) * (u > 0)))
    x, y, z = radius * np.cos(around), 0.8 * np.cos(down), 0.7 * radius * np.sin(around)
    x = x + 0.25 * np.sin(phase + 2 * y)
    turn = 0.6 * np.sin(phase)
    x, z = x * np.cos(turn) + z * np.sin(turn), z * np.cos(turn) - x * np.sin(turn)
    vertices = np.stack([x + 0.1, y + 0.15 * np.cos(phase), z], axis=-1).reshape(-1, 3).astype(np.float32)
    uv = np.stack([u, 1 - v], axis=-1).reshape(-1, 2).astype(np.float32)
    used, faces = np.unique(grid_faces(rings, sectors), return_inverse=True)  # one vertex of each pole has no face
    return vertices[used], faces.reshape(-1, 3).astype(np.int32), uv[used]


def grid_faces(rings: int, sectors: int) -> np.ndarray:
    """Triangles of a closed grid, without those that vanish at the poles, seen counter-clockwise from outside."""
    index = np.arange((rings + 1) * (sectors + 1)).reshape(rings + 1, sectors + 1)
    a, b, c, d = (part.reshape(-1) for part in (index[:-1, :-1], index[:-1, 1:], index[1:, :-1], index[1:, 1:]))
    upper, lower = np.stack([a, b, d], axis=1)[sectors:], np.stack([a, d, c], axis=1)[:-sectors]
    return np.concatenate([upper, lower])


def paint(height: int = 32, width: int = 64) -> np.ndarray:
    """A texture [H,W,3] whose four quarters differ, brighter towards the top right."""
    picture = np.zeros((height, width, 3), np.uint8)
    picture[: height // 2, : width // 2] = (200, 40, 40)
    picture[: height // 2, width // 2 :] = (230, 210, 60)
    picture[height // 2 :, : width // 2] = (40, 90, 190)
    picture[height // 2 :, width // 2 :] = (60, 190, 80)
    picture[:, :, 1] += np.linspace(0, 20, width).astype(np.uint8)
    return picture


def moving(frame_count: int = 12, fps: float = 12.0, textured: bool = True, **fields) -> MeshSequence:
    """One topology, every vertex moves; with uv and texture unless ``textured`` is false."""
    frames = [body(frame, frame_count) for frame in range(frame_count)]
    if textured:
        fields = {"uv": frames[0][2], "texture": paint(), **fields}
    return MeshSequence([frame[0] for frame in frames], [frame[1] for frame in frames], fps, NAME, **fields)


def travelling(frame_count: int = 12, fps: float = 12.0) -> MeshSequence:
    """The moving body on its way through the room, turning as it goes."""
    stays = moving(frame_count, fps)
    turns = Rotation.from_rotvec([[0.3 * t / frame_count, 1.8 * t / frame_count, 0] for t in range(frame_count)])
    ways = [np.array([0.8, 0.3, -0.6]) * t / frame_count for t in range(frame_count)]
    frames = [turn.apply(frame) + way for turn, frame, way in zip(turns, stays.vertices, ways)]
    return replace(stays, vertices=[frame.astype(np.float32) for frame in frames])


def remeshed(frame_count: int = 12, fps: float = 12.0, empty: tuple[int, ...] = ()) -> MeshSequence:
    """A grid of another size in every frame, without a seam, and nothing in the ``empty`` ones."""
    frames = [welded(*body(frame, frame_count, 8 + frame % 3, 12 + frame % 4)[:2]) for frame in range(frame_count)]
    nothing = (np.zeros((0, 3), np.float32), np.zeros((0, 3), np.int32))
    frames = [nothing if number in empty else frame for number, frame in enumerate(frames)]
    return MeshSequence([frame[0] for frame in frames], [frame[1] for frame in frames], fps, NAME)


def reordered() -> MeshSequence:
    """The moving body with its faces in another order in every frame: a topology that changes while the counts stay."""
    stays = moving(textured=False)
    return replace(stays, faces=[np.roll(faces, 7 * t, axis=0) for t, faces in enumerate(stays.faces)])


def welded(vertices: np.ndarray, faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The mesh with one vertex in each place."""
    places, index = np.unique(vertices, axis=0, return_inverse=True)
    return places, index.reshape(-1)[faces].astype(np.int32)
