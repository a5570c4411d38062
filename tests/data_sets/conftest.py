"""Animated meshes made on the spot."""

from dataclasses import replace

import numpy as np
import pytest
import trimesh

from shapegen4d_core.data.curation.settings import CurationSettings
from shapegen4d_core.importing import AnimatedMesh, Material


def animated(mesh, move, frames=4, name="made", root=None, **looks):
    """An AnimatedMesh of a trimesh and ``move(vertices, u)`` for u in 0..1."""
    steps = np.linspace(0, 1, frames)
    vertices = np.stack([move(np.asarray(mesh.vertices, float), u) for u in steps]).astype(np.float32)
    faces = np.asarray(mesh.faces, np.int32)
    looks.setdefault("materials", (Material("plain", (0.8, 0.3, 0.2, 1.0)),))
    looks.setdefault("face_material", np.zeros(len(faces), np.int32))
    return AnimatedMesh(vertices, faces, 8.0, name, root=root, **looks)


def bend(vertices, u):
    """Lean over sideways, more the higher a point is."""
    out = vertices.copy()
    out[:, 0] += u * 0.6 * (vertices[:, 1] - vertices[:, 1].min()) ** 2
    return out


@pytest.fixture
def make():
    return animated


@pytest.fixture
def bending():
    """A closed, asymmetric body that bends: a tall box with a knob on its front."""
    body = trimesh.creation.box((0.5, 1.6, 0.4)).subdivide().subdivide()
    knob = trimesh.creation.icosphere(2, 0.25).apply_translation((0.1, 0.3, 0.3))
    return animated(trimesh.util.concatenate([body, knob]), bend)


@pytest.fixture
def small():
    return CurationSettings(
        frames=4,
        frame="canonical",
        resolution=40,
        truncation=0.1,
        near_deviations=(0.02, 0.06),
        surface_points=256,
        sharp_points=64,
        aligned_points=48,
        aligned_sharp_points=16,
        near_points=128,
        uniform_points=128,
        views=2,
        image_size=48,
        foreground_ratio=0.9,
        elevation_degrees=(0.0, 20.0),
    )


@pytest.fixture
def fast(small):
    """Settings of next to no work."""
    return replace(small, frames=2, resolution=24, image_size=24, views=1)
