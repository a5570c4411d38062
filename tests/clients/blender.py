"""Finds Blender and has it import files, all of them in one run."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np

from tests.clients.cases import Written
from tests.clients.seen import Seen

SCRIPT = Path(__file__).with_name("blender_import.py")
ABSENT = "Blender not found; install it, or set BLENDER_PYTHON to a Python that has the bpy wheel (pip install bpy)"


def blender_command() -> list[str] | None:
    """The command that runs a script in Blender, from BLENDER_PYTHON or the PATH; None when there is none."""
    interpreter = os.environ.get("BLENDER_PYTHON")
    if interpreter:
        return [interpreter, str(SCRIPT)]
    program = shutil.which("blender")
    return None if program is None else [program, "--background", "--python", str(SCRIPT), "--"]


def ask_blender(command: list[str], written: list[Written], folder: Path) -> list[Seen]:
    """Import every file in Blender, in one process, and return what it shows. Raises AssertionError with its words."""
    jobs = [_job(entry, folder / f"blender{number:02d}") for number, entry in enumerate(written)]
    listing = folder / "jobs.json"
    listing.write_text(json.dumps(jobs), encoding="utf-8")
    run = subprocess.run([*command, str(listing)], capture_output=True, text=True, timeout=300)
    assert run.returncode == 0, run.stdout + run.stderr
    return [_seen(job) for job in jobs]


def _job(entry: Written, out: Path) -> dict:
    camera = entry.case.cameras[0] if entry.case.cameras else None
    return {
        "path": str(entry.path),
        "open": entry.case.opens,
        "fps": entry.sequence.fps,
        "seconds": entry.seconds,
        "size": [camera.width, camera.height] if camera else [1, 1],
        "stills": [str(file) for file in entry.stills or ()],
        "out": str(out),
    }


def _seen(job: dict) -> Seen:
    facts = json.loads(Path(job["out"] + ".json").read_text(encoding="utf-8"))
    if "error" in facts:
        return Seen([], [], [], facts)
    with np.load(job["out"] + ".npz") as arrays:
        columns = [[arrays[f"{key}_{number}"] for number in range(3)] for key in ("positions", "corners", "uv")]
        return Seen(*columns, facts, texture=arrays.get("texture"))
