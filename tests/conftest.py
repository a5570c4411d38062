"""What holds for every test: the same random numbers in every run, and reference values of published packages."""

import os
from pathlib import Path

if "PYTEST_XDIST_WORKER" in os.environ:  # workers share the cores; read before numpy and torch start their threads
    os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pytest
import torch
import trimesh
from hypothesis import settings
from safetensors.numpy import load_file

from tests.nodes.pack import base, core, nodes, pack  # noqa: F401

settings.register_profile("repeatable", derandomize=True)
settings.load_profile("repeatable")

HERE = Path(__file__).parent / "reference" / "geometry"


@pytest.fixture(autouse=True)
def same_random_numbers():
    """Start the global generators anew, for the libraries that draw from them when no seed is given."""
    torch.manual_seed(0)
    np.random.seed(0)


@pytest.fixture(scope="session")
def golden():
    """Arrays of one file of reference values for geometry and rendering, by the file's name.

    The folder can be given by SHAPEGEN4D_GEOMETRY_REFERENCE; they travel with the tests.
    """

    def read(name):
        folder = Path(os.environ.get("SHAPEGEN4D_GEOMETRY_REFERENCE", HERE))
        path = folder / f"{name}.safetensors"
        return load_file(path if path.is_file() else HERE / path.name)

    return read


@pytest.fixture(scope="session")
def creature():
    """A closed mesh without any symmetry: body, head, four legs of different lengths and a tail, in [-1,1]^3."""
    parts = [trimesh.creation.icosphere(3, 1.0)]
    parts[0].apply_scale((0.75, 0.3, 0.3))
    for x, z, length in ((0.5, 0.15, 0.6), (0.45, -0.2, 0.5), (-0.5, 0.18, 0.55), (-0.4, -0.15, 0.45)):
        leg = trimesh.creation.capsule(length, 0.1, count=(8, 10))
        leg.apply_transform(trimesh.transformations.rotation_matrix(np.pi / 2, (1, 0, 0)))
        leg.apply_translation((x, -0.1, z))
        parts.append(leg)
    head = trimesh.creation.icosphere(2, 0.22)
    head.apply_translation((0.75, 0.35, 0.05))
    tail = trimesh.creation.capsule(0.5, 0.06, count=(6, 8))
    tail.apply_translation((-0.65, 0.15, -0.1))
    mesh = trimesh.util.concatenate([*parts, head, tail])
    return np.asarray(mesh.vertices), np.asarray(mesh.faces)
