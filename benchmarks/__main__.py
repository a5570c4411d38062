"""``python -m benchmarks``: every benchmark that needs no trained run, with its defaults, one after the other."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

NEED_A_RUN = ("ablations.py",)


def main() -> int:
    """Run the scripts beside this file; returns 0 when all of them did."""
    failed = 0
    scripts = (path for path in Path(__file__).parent.glob("[a-z]*.py") if path.name not in NEED_A_RUN)
    for script in sorted(scripts):
        print(f"== {script.name}", flush=True)
        failed |= subprocess.run([sys.executable, str(script)], cwd=script.parents[1]).returncode
    return failed


if __name__ == "__main__":
    sys.exit(main())
