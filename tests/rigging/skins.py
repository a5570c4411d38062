"""Sequences the rigging tests share: true skins, rigid parts and soft motion."""

from __future__ import annotations

import numpy as np
import trimesh
from scipy.ndimage import gaussian_filter
from scipy.spatial.transform import Rotation

from shapegen4d_core.sequence import MeshSequence


def sequence(frames, faces, fps: float = 24.0, **fields) -> MeshSequence:
    """Frames [T,V,3] of one topology."""
    faces = np.ascontiguousarray(faces, np.int32)
    vertices = tuple(np.ascontiguousarray(frame, np.float32) for frame in frames)
    return MeshSequence(vertices, (faces,) * len(vertices), fps, **fields)


def tube(joint_count: int = 6, frame_count: int = 10, seed: int = 0, rings: int = 40) -> MeshSequence:
    """A tube bent by a chain of joints: a true skin, each vertex moved by at most two of them."""
    random = np.random.default_rng(seed)
    around, along = np.meshgrid(np.linspace(0, 2 * np.pi, 12, endpoint=False), np.linspace(0, joint_count, rings))
    places = np.stack([0.4 * np.cos(around), along, 0.4 * np.sin(around)], axis=-1).reshape(-1, 3)
    weights = np.clip(1.5 - 2 * np.abs(places[:, 1:2] - np.arange(joint_count) - 0.5), 0, 1)
    weights[:12, 0] = weights[-12:, -1] = 1
    weights /= weights.sum(axis=1, keepdims=True)
    axes, phases = 0.6 * random.normal(size=(joint_count, 3)), random.uniform(0, 2 * np.pi, joint_count)
    frames = [_bent(places, weights, axes, phases + 2 * np.pi * t / frame_count) for t in range(frame_count)]
    return sequence(frames, tube_faces(rings), name="tube")


def tube_faces(rings: int, around: int = 12) -> np.ndarray:
    """Faces of an open tube, ring after ring, counter-clockwise from outside."""
    ring, step = np.meshgrid(np.arange(rings - 1), np.arange(around), indexing="ij")
    here, next_to = ring * around + step, ring * around + (step + 1) % around
    corners = [(here, here + around, next_to), (next_to, here + around, next_to + around)]
    return np.concatenate([np.stack(corner, axis=-1).reshape(-1, 3) for corner in corners])


def _bent(places: np.ndarray, weights: np.ndarray, axes: np.ndarray, phases: np.ndarray) -> np.ndarray:
    turn, end, moved = np.eye(3), np.zeros(3), np.zeros(places.shape)
    for joint, (axis, phase) in enumerate(zip(axes, phases)):
        turn = turn @ Rotation.from_rotvec(axis * np.sin(phase)).as_matrix()
        moved += weights[:, joint, None] * ((places - (0, joint, 0)) @ turn.T + end)
        end = end + turn @ (0, 1, 0)
    return moved


def bodies(count: int = 3, frame_count: int = 6) -> MeshSequence:
    """Spheres that each move rigidly on their own."""
    mesh = trimesh.creation.icosphere(1, 0.4)
    random = np.random.default_rng(0)
    axes, ways = random.normal(size=(2, count, 3))
    frames = []
    for frame in range(frame_count):
        turns = Rotation.from_rotvec(axes * frame / frame_count)
        placed = [turn.apply(mesh.vertices) + (2 * i, 0, 0) + ways[i] * frame / 8 for i, turn in enumerate(turns)]
        frames.append(np.concatenate(placed))
    return sequence(frames, np.concatenate([mesh.faces + i * len(mesh.vertices) for i in range(count)]), name="bodies")


def crumpled(side: int = 24, frame_count: int = 10) -> MeshSequence:
    """A sheet that crumples anew in every frame: nothing that a few rigid joints can follow."""
    random = np.random.default_rng(0)
    x, z = (axis.reshape(-1) for axis in np.meshgrid(np.linspace(-1, 1, side), np.linspace(-1, 1, side)))
    frames = []
    for _ in range(frame_count):
        height = gaussian_filter(random.normal(size=(side, side)), 1.5, mode="wrap")
        frames.append(np.stack([x, 0.2 * height.reshape(-1) / height.std(), z], axis=1))
    corner = np.arange(side * side).reshape(side, side)
    a, b, c, d = (part.reshape(-1) for part in (corner[:-1, :-1], corner[:-1, 1:], corner[1:, :-1], corner[1:, 1:]))
    return sequence(frames, np.concatenate([np.stack([a, c, b], axis=1), np.stack([b, c, d], axis=1)]), name="crumpled")
