"""Reads animated glTF 2.0 files (.glb, .gltf): skins, morph targets and node animation become vertices per frame.

Axes are glTF's own (y up, front +z), positions are world space, in the file's units. Files are taken as untrusted:
everything they refer to is checked, and what cannot be used is one InputError.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..errors import InputError
from ..mesh_arrays import same_topology
from ..progress import Check, Progress, tick
from ..sequence import MeshSequence
from .accessors import Accessors
from .animated_mesh import AnimatedMesh, to_sequence
from .animation import Animation, Poses, read_animation
from .container import Gltf, open_gltf
from .flipbook import FlipBook, read_flipbook
from .nodes import Nodes
from .scene import Meshes, Scene
from .timing import Timing, sample_times, written_entry, written_timing

BYTES_LIMIT = 2**31  # of the vertices of all frames


def load_animated(
    path: str | os.PathLike,
    *,
    frames: int | None = None,
    fps: float | None = None,
    animation: int | str | None = None,
    progress: Progress | None = None,
    check: Check | None = None,
) -> AnimatedMesh:
    """Read ``path`` and sample one animation (its number or name, the first for None) at equal times.

    Frame t lies at the animation's start + t / fps. ``frames`` alone spreads that many over the whole length, ``fps``
    alone takes length x fps; with neither the rate of the file's keys is taken, or what our own exporter wrote down.
    A file without animation gives one frame, or ``frames`` equal ones. Raises InputError, also for a flip book whose
    topology changes, which :func:`load_sequence` reads.
    """
    path = Path(path)
    with _errors_named(path):
        file = _File(path, animation)
        timing = file.timing(frames, fps)
        if file.flipbook is None:
            return _evaluated(file, timing, progress, check)
        return _one_topology(file, timing, progress, check)


def load_sequence(
    path: str | os.PathLike,
    *,
    fps: float | None = None,
    progress: Progress | None = None,
    check: Check | None = None,
) -> MeshSequence:
    """Read ``path`` as a MeshSequence, a flip book frame by frame with its topology as it changes.

    Files of our own exporter come back with their frames, rate, name and settings (the normals apart). With ``fps`` the
    animation is looked at that often instead. Raises InputError.
    """
    path = Path(path)
    with _errors_named(path):
        file = _File(path, None)
        timing = file.timing(None, fps)
        if file.flipbook is None:
            sequence = to_sequence(_evaluated(file, timing, progress, check))
        else:
            sequence = _flipped(file, timing, progress, check)
        written = written_entry(file.gltf.json)
        if written_timing(file.gltf.json) is None:
            return sequence
        settings, name = written.get("settings"), written.get("name")
        return replace(
            sequence,
            name=name if isinstance(name, str) else file.animation.name or sequence.name,
            settings=settings if isinstance(settings, dict) else {},
        )


class _File:
    """One opened file: its nodes, the animation chosen and, if it is one, the flip book."""

    def __init__(self, path: Path, animation: int | str | None) -> None:
        self.gltf: Gltf = open_gltf(path)
        accessors = Accessors(self.gltf)
        self.nodes = Nodes(self.gltf)
        self.animation: Animation = read_animation(self.gltf, accessors, self.nodes, animation)
        self.flipbook: FlipBook | None = read_flipbook(self.nodes, self.animation)
        self.meshes = Meshes(self.gltf, accessors, self.nodes)
        self.name = path.stem

    def timing(self, frames: int | None, fps: float | None) -> Timing:
        key_rate = (self.flipbook or self.animation).key_rate()
        return sample_times(self.animation.span(), key_rate, written_timing(self.gltf.json), frames, fps)


@contextmanager
def _errors_named(path: Path) -> Iterator[None]:
    try:
        yield
    except InputError as error:
        raise InputError(f"Cannot import {path}: {str(error).rstrip('.')}.") from error


def _evaluated(file: _File, timing: Timing, progress: Progress | None, check: Check | None) -> AnimatedMesh:
    poses, frame_count = Poses(file.nodes, file.animation, timing.seconds), len(timing.seconds)
    with np.errstate(all="ignore"):
        world = poses.world(0)
        scene = file.meshes.scene(file.nodes.shown, world)
    _check_size(frame_count, scene.vertex_count)
    vertices = np.empty((frame_count, scene.vertex_count, 3), np.float32)
    root = None if scene.root is None else np.empty((frame_count, 3), np.float32)
    for frame in range(frame_count):
        with np.errstate(all="ignore"):
            world = poses.world(frame)
            vertices[frame] = scene.vertices(poses, frame, world)
            if root is not None:
                root[frame] = world[scene.root, :3, 3]
        tick(progress, check, frame + 1, frame_count)
    return _mesh(file, scene, timing, vertices, root)


def _mesh(file: _File, scene: Scene, timing: Timing, vertices: np.ndarray, root: np.ndarray | None) -> AnimatedMesh:
    return AnimatedMesh(
        vertices=vertices,
        faces=scene.faces,
        fps=timing.fps,
        name=file.name,
        face_material=scene.face_material,
        materials=scene.materials,
        uv=scene.uv,
        colours=scene.colours,
        root=root,
    )


def _pages(
    file: _File, timing: Timing, progress: Progress | None, check: Check | None
) -> Iterator[tuple[Scene | None, np.ndarray]]:
    """What each frame of a flip book shows, with its vertices [V,3]; no scene for an empty frame."""
    assert file.flipbook is not None
    tracks = {key: track for key, track in file.animation.tracks.items() if key[1] != "scale"}
    file.nodes.scale[list(file.flipbook.nodes)] = 1  # what is seen has its size: thousands of tracks less to sample
    poses = Poses(file.nodes, Animation(file.animation.name, tracks), timing.seconds)
    scenes: dict[int, Scene] = {}
    for frame, node in enumerate(file.flipbook.visible(timing.seconds)):
        if "mesh" not in file.nodes.entries[node]:
            yield None, np.zeros((0, 3), np.float32)
        else:
            with np.errstate(all="ignore"):
                world = poses.world_to(node, frame)
                if node not in scenes:
                    scenes[node] = file.meshes.scene([node], world)
                yield scenes[node], scenes[node].vertices(poses, frame, world)
        tick(progress, check, frame + 1, len(timing.seconds))


def _one_topology(file: _File, timing: Timing, progress: Progress | None, check: Check | None) -> AnimatedMesh:
    first, frames = None, []
    for scene, vertices in _pages(file, timing, progress, check):
        first = first or scene
        if scene is None or first is None or not _alike(first, scene):
            raise InputError("its topology changes from frame to frame; read it with load_sequence")
        _check_size(len(timing.seconds), len(vertices))
        frames.append(vertices)
    assert first is not None
    return _mesh(file, first, timing, np.stack(frames), None)


def _alike(first: Scene, other: Scene) -> bool:
    return first.vertex_count == other.vertex_count and np.array_equal(first.faces, other.faces)


def _flipped(file: _File, timing: Timing, progress: Progress | None, check: Check | None) -> MeshSequence:
    pages = list(_pages(file, timing, progress, check))
    vertices = tuple(page for _, page in pages)
    faces = tuple(np.zeros((0, 3), np.int32) if scene is None else scene.faces for scene, _ in pages)
    first = pages[0][0]
    uv = texture = None
    if first is not None and first.uv is not None and same_topology(vertices, faces):
        uv = np.ascontiguousarray(np.stack([first.uv[:, 0], 1 - first.uv[:, 1]], axis=1))
        texture = first.materials[0].texture if len(first.materials) == 1 else None
    return MeshSequence(vertices, faces, timing.fps, file.name, uv=uv, texture=texture)


def _check_size(frame_count: int, vertex_count: int) -> None:
    if frame_count * vertex_count * 12 > BYTES_LIMIT:
        raise InputError(
            f"{frame_count} frames of {vertex_count} vertices take more than {BYTES_LIMIT >> 30} GiB; set fewer frames"
        )
