"""The reference scene as a clip: four frames of one moving body, one camera, masks and normals that are known."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch

from shapegen4d_core.sequence import Clip, MeshSequence

TO_Y_UP = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])
LAMP = np.array([-0.5, -0.6, -0.62])


@dataclass
class Known:
    """Meshes, clip, and the true transform of the meshes into the camera."""

    meshes: MeshSequence
    clip: Clip
    rotation: torch.Tensor
    translation: torch.Tensor


def lit(normals: np.ndarray, alpha: np.ndarray) -> torch.Tensor:
    """Pictures [T,H,W,4] of a grey body under one lamp and even light."""
    light = 0.3 + 0.6 * (normals @ LAMP).clip(0, 1)
    return torch.from_numpy(np.concatenate([light[..., None].repeat(3, -1), alpha[..., None]], -1)).float()


@pytest.fixture(scope="session")
def known(golden):
    """The reference scene, turned to y up."""
    data = golden("pose_scene")
    vertices = tuple((frame @ TO_Y_UP.T).astype(np.float32) for frame in data["verts"])
    meshes = MeshSequence(vertices, (data["faces"].astype(np.int32),) * len(vertices), fps=8.0, name="body")
    pictures = lit(data["camera_normals_int8"] / 127.0, data["alpha"] / 255.0)
    rotation = torch.from_numpy(data["truth.R"] @ TO_Y_UP.T)
    return Known(meshes, Clip(pictures.clamp(0, 1), 8.0, "reference"), rotation, torch.from_numpy(data["truth.t"]))


@pytest.fixture(scope="session")
def brief(known):
    """Its first two frames, for tests of many searches."""
    meshes = replace(known.meshes, vertices=known.meshes.vertices[:2], faces=known.meshes.faces[:2])
    return replace(known, meshes=meshes, clip=replace(known.clip, frames=known.clip.frames[:2]))
