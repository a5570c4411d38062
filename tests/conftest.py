"""What holds for every test: the same random numbers in every run, and reference values of published packages."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import settings
from safetensors.numpy import load_file

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
