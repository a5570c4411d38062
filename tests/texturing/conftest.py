"""A painted ball with a nose that turns before one camera, and its pictures."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
import trimesh

from shapegen4d_core.geometry.similarity import azimuth_rotation
from shapegen4d_core.rendering.textured import render_textured
from shapegen4d_core.rendering.views import opencv_camera
from shapegen4d_core.sequence import Camera, Clip, MeshSequence
from shapegen4d_core.texturing.page import page_bytes, paint_page
from shapegen4d_core.texturing.texels import surface_texels
from shapegen4d_core.texturing.unwrap import unwrap

SIDE = 64


def paint(points):
    """Smooth colours [P,3] 0..1 of places on the ball, different everywhere."""
    x, y, z = points.T
    return 0.5 + 0.3 * np.sin(np.stack([4 * x + 1, 5 * y, 4 * z + 2 * x], axis=1))


def symmetric_paint(points):
    """The same left and right (x mirrored)."""
    return paint(np.abs(points * [1, 0, 0]) + points * [0, 1, 1])


def ball():
    """Vertices [V,3] and faces [F,3] of a ball with a nose towards +z, symmetric in x."""
    mesh = trimesh.creation.icosphere(subdivisions=2)
    points = mesh.vertices * [0.6, 0.7, 0.7]
    nose = np.exp(-5 * (mesh.vertices[:, 0] ** 2 + (mesh.vertices[:, 1] - 0.3) ** 2)) * (points[:, 2] > 0)
    return (points + np.outer(0.35 * nose, [0, 0, 1])).astype(np.float32), mesh.faces.astype(np.int32)


def painted(vertices, faces, colour):
    """Cut at seams, with a texture of the colours of places: (vertices, faces, uv, texture, vertex)."""
    cut = unwrap(vertices, faces, texture_size=256)
    texels = surface_texels(cut.faces, cut.uv, 256)
    points = texels.mix(vertices[cut.vertex], cut.faces)
    page = page_bytes(paint_page(texels, colour(points).astype(np.float32)))
    return vertices[cut.vertex], cut.faces, cut.uv, page


@dataclass(frozen=True)
class Stage:
    """``painted`` has the true texture, ``bare`` the same motion before it was cut and painted."""

    painted: MeshSequence
    bare: MeshSequence
    camera: Camera
    clip: Clip


def pictures(sequence, camera, supersampling=4):
    """Unlit pictures [T,H,W,4]."""
    view = opencv_camera(camera)
    size = (camera.height, camera.width)
    fixed = torch.from_numpy(sequence.faces[0]), torch.from_numpy(sequence.uv), sequence.texture
    return torch.stack(
        [render_textured(torch.from_numpy(frame), *fixed, *view, size, supersampling) for frame in sequence.vertices]
    )


def psnr(first, second):
    """Of colours where both pictures are opaque, in decibels."""
    both = (first[..., 3] > 0.99) & (second[..., 3] > 0.99)
    return float(-10 * torch.log10(((first - second)[..., :3][both] ** 2).mean()))


def stage(colour=paint, turns=(0.0, 25.0, 50.0), yaw=0.0):
    """A ball that turns by ``turns`` degrees."""
    vertices, faces = ball()
    cut, cut_faces, uv, page = painted(vertices, faces, colour)
    rotations = [azimuth_rotation(turn).astype(np.float32) for turn in turns]

    def frames(points):
        return tuple(np.ascontiguousarray(points @ turn.T) for turn in rotations)

    count = len(turns)
    camera = Camera(yaw, 10.0, 4.0, (0.0, 0.0, 0.0), 32.0, SIDE, SIDE)
    full = MeshSequence(frames(cut), (cut_faces,) * count, 8.0, "ball", uv=uv, texture=page)
    bare = MeshSequence(frames(vertices), (faces,) * count, 8.0, "ball")
    return Stage(full, bare, camera, Clip(pictures(full, camera), 8.0, "ball"))


@pytest.fixture(scope="session")
def turning():
    """Three frames of a turning ball."""
    return stage()


def seen_from(camera, degrees):
    """The camera moved around by ``degrees``."""
    return replace(camera, yaw_degrees=camera.yaw_degrees + degrees)
