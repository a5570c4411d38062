"""Where the golden data lie: tests/reference, or the tree the environment variable SHAPEGEN4D_REFERENCE names.

Another tree needs the same folders, tensor names and configuration fields; sizes are read from the data.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

BUNDLED = Path(__file__).resolve().parent.parent / "reference"


@dataclass(frozen=True)
class Golden:
    """One folder of golden data: its configuration, inputs and outputs by name, and itself."""

    folder: Path
    config: dict[str, Any]
    io: dict[str, torch.Tensor]


@pytest.fixture(scope="session")
def bundled_reference() -> Path:
    """The tree that comes with the tests; the manifests of the published models are read from it."""
    return BUNDLED


@pytest.fixture(scope="session")
def reference() -> Path:
    """Root of the tree to compare with, which contains ``golden``."""
    root = Path(os.environ.get("SHAPEGEN4D_REFERENCE") or BUNDLED).expanduser().resolve()
    if not (root / "golden").is_dir():
        pytest.fail(f"SHAPEGEN4D_REFERENCE is {root}, which has no folder named golden.")
    return root


@pytest.fixture(scope="session")
def golden(reference: Path) -> Callable[[str], Golden]:
    """Reads a folder of golden data by its name below ``golden``."""

    def read(name: str) -> Golden:
        folder = reference / "golden" / name
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        return Golden(folder, config, load_file(folder / "io.safetensors"))

    return read


@pytest.fixture
def close() -> Callable[..., None]:
    """Asserts that two tensors of one shape differ by at most ``tolerance`` everywhere."""

    def check(result: torch.Tensor, expected: torch.Tensor, tolerance: float) -> None:
        assert result.shape == expected.shape
        error = (result.double() - expected.double()).abs().max().item()
        assert error <= tolerance, f"largest error {error:.3g} above {tolerance:.3g}"

    return check
