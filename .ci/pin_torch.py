"""Refuse a CUDA build of torch before its packages are drawn in, then pin the installed build for pip."""

from __future__ import annotations

import sys
from importlib.metadata import requires, version
from pathlib import Path

CUDA_PREFIXES = ("nvidia-", "cuda-")


def pin(path: Path) -> None:
    """Write ``path`` as a pip constraints file; exits with one sentence if torch wants CUDA packages here."""
    needs = requires("torch") or []
    drawn = [line for line in needs if line.startswith(CUDA_PREFIXES) and "extra ==" not in line]
    if sys.platform == "linux" and drawn:
        sys.exit(
            f"torch {version('torch')} would draw in {len(drawn)} CUDA packages: make TORCH_INDEX reachable, "
            "or name a CPU build, as in `make TORCH=path/to/torch-cpu.whl`."
        )
    path.write_text(f"torch=={version('torch')}\n", encoding="ascii")


if __name__ == "__main__":
    pin(Path(sys.argv[1]))
