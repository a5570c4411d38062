"""``python -m benchmarks``: every benchmark with its default settings, one after the other."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def main() -> int:
    """Run the scripts beside this file; returns 0 when all of them did."""
    failed = 0
    for script in sorted(Path(__file__).parent.glob("[a-z]*.py")):
        print(f"== {script.name}", flush=True)
        failed |= subprocess.run([sys.executable, str(script)], cwd=script.parents[1]).returncode
    return failed


if __name__ == "__main__":
    sys.exit(main())
