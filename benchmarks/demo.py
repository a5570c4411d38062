"""Wall time and peak memory of the demo, run as a program of its own (Linux and macOS).

python benchmarks/demo.py
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time


def main() -> None:
    """Run the demo into a temporary folder and print one line."""
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        subprocess.run([sys.executable, "-m", "shapegen4d_core", "demo", "--quiet", "-o", folder], check=True)
        seconds = time.perf_counter() - began
    unit = 1 if sys.platform == "darwin" else 1024
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * unit
    print(f"demo: {seconds:.1f} s in all, peak memory {peak / 2**20:.0f} MiB")


if __name__ == "__main__":
    main()
