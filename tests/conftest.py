"""What holds for every test: the same random numbers in every run."""

import numpy as np
import pytest
import torch
from hypothesis import settings

settings.register_profile("repeatable", derandomize=True)
settings.load_profile("repeatable")


@pytest.fixture(autouse=True)
def same_random_numbers():
    """Start the global generators anew, for the libraries that draw from them when no seed is given."""
    torch.manual_seed(0)
    np.random.seed(0)
