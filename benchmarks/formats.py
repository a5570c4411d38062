"""Size, time and memory of every format, as ratios to animated GLB with morph targets.

One shape of about 20 000 vertices, all of which move, without texture. Times are the best of some runs in CPU seconds,
which other programs disturb least; every file is read back and compared. Memory is how far writing lifts a process of
its own above what it holds with the sequence and after writing a small one, for 30 and for 300 frames (Linux): a writer
that streams adds the same for both.

python benchmarks/formats.py                          # all tables; some minutes
python benchmarks/formats.py --only usd --no-memory
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from shapegen4d_core.errors import InputError  # noqa: E402
from shapegen4d_core.export.write import write_sequence  # noqa: E402
from shapegen4d_core.importing.read import read_sequence  # noqa: E402
from shapegen4d_core.sequence import MeshSequence  # noqa: E402
from tests.clients.bodies import body  # noqa: E402

VERTICES = (100, 200)  # rows and columns of the grid


@dataclass(frozen=True)
class Row:
    """One line of the table: the name of the file, which chooses the format, and the writer's options."""

    name: str
    file: str
    options: dict[str, Any] = field(default_factory=dict)
    changing: bool = False


ROWS = (
    Row("GLB morph", "a.glb"),
    Row("GLB morph, no normals", "a.glb", {"normals": False}),
    Row("GLB morph, quantised", "a.glb", {"quantize": True}),
    Row("GLB flip book", "a.glb", {"encoding": "flipbook"}),
    Row("USDC", "a.usdc"),
    Row("USDA", "a.usda"),
    Row("USDZ", "a.usdz"),
    Row("PC2 and base OBJ", "a.pc2"),
    Row("MDD and base OBJ", "a.mdd"),
    Row("folder of OBJ", "folder", {"kind": "obj"}),
    Row("folder of PLY", "folder", {"kind": "ply"}),
    Row("folder of GLB", "folder", {"kind": "glb"}),
    Row("safetensors", "a.safetensors"),
    Row("GLB flip book", "a.glb", {}, True),
    Row("USDC", "a.usdc", {}, True),
    Row("USDA", "a.usda", {}, True),
    Row("folder of OBJ", "folder", {"kind": "obj"}, True),
    Row("folder of PLY", "folder", {"kind": "ply"}, True),
    Row("folder of GLB", "folder", {"kind": "glb"}, True),
    Row("safetensors", "a.safetensors", {}, True),
)


def sequence_of(frame_count: int, changing: bool, rows: int = VERTICES[0], columns: int = VERTICES[1]) -> MeshSequence:
    """A moving body on a grid of rows x columns vertices; with ``changing`` every other frame has one row less."""
    frames = [body(t, 24, rows - 1 - (t % 2) * changing, columns - 1)[:2] for t in range(frame_count)]
    faces = [frame[1] for frame in frames]
    return MeshSequence([frame[0] for frame in frames], faces if changing else faces[:1] * frame_count, 24.0, "body")


def cpu_seconds() -> float:
    """CPU time of this process and of those it has started and waited for."""
    children = os.times()
    return time.process_time() + children.children_user + children.children_system


def measured(row: Row, sequence: MeshSequence, runs: int) -> dict[str, float]:
    """Bytes on disk, best CPU seconds of writing and of reading, and the largest error over the box."""
    writing, reading = [], []
    for _ in range(runs):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / row.file
            began = cpu_seconds()
            write_sequence(sequence, path, **row.options)
            writing.append(cpu_seconds() - began)
            size = sum(file.stat().st_size for file in Path(folder).rglob("*") if file.is_file())
            began = cpu_seconds()
            found = read_sequence(path)
            reading.append(cpu_seconds() - began)
    low, high = sequence.bounds()
    off = max(float(np.abs(a - b).max()) for a, b in zip(sequence.vertices, found.vertices, strict=True))
    return {"bytes": size, "write": min(writing), "read": min(reading), "error": off / float((high - low).max())}


def extra_memory(row: Row, frame_count: int) -> float | None:
    """MiB by which the peak of this process passes what it holds before writing; None where /proc does not say."""
    status, reset = Path("/proc/self/status"), Path("/proc/self/clear_refs")
    if not reset.exists():
        return None
    with tempfile.TemporaryDirectory() as folder:
        small = Path(folder) / "small"
        small.mkdir()
        write_sequence(sequence_of(2, row.changing, 8, 8), small / row.file, **row.options)
        sequence = sequence_of(frame_count, row.changing)
        gc.collect()
        reset.write_text("5")  # the peak starts anew at what is held now
        held = _kib(status, "VmRSS")
        write_sequence(sequence, Path(folder) / row.file, **row.options)
        return (_kib(status, "VmHWM") - held) / 1024


def _kib(status: Path, entry: str) -> int:
    return next(int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith(entry))


def memory_apart(number: int, frame_count: int) -> str:
    """The same in a process of its own, as text."""
    command = [sys.executable, __file__, "--child", str(number), "--frames", str(frame_count)]
    run = subprocess.run(command, capture_output=True, text=True)
    if run.returncode:
        return run.stderr.strip().splitlines()[-1]
    found = json.loads(run.stdout)
    return "-" if found is None else f"{found:.0f}"


def print_table(changing: bool, only: str, runs: int, memory: bool) -> None:
    """One table; ratios are to the first row of all, GLB morph, measured beside it."""
    base_row, base_sequence = ROWS[0], sequence_of(16, False)
    sequence = sequence_of(16, changing)
    title = "every other frame has another topology" if changing else "one topology"
    print(f"\n{sequence.frame_count} frames of {len(sequence.vertices[0])} vertices, {title}\n")
    print("| format | size | of GLB morph | write | read | round trip error | extra MiB, 30 frames | 300 frames |")
    print("|" + "---|" * 8)
    for number, row in enumerate(ROWS):
        if row.changing != changing or only not in row.name.lower():
            continue
        base = measured(base_row, base_sequence, runs)
        try:
            found = base if row is base_row else measured(row, sequence, runs)
        except InputError as error:
            print(f"| {row.name} | {error} |" + " |" * 6, flush=True)
            continue
        ratios = [f"x {found[key] / base[key]:.2f}" for key in ("bytes", "write", "read")]
        peaks = [memory_apart(number, frame_count) for frame_count in (30, 300)] if memory else ["", ""]
        cells = [row.name, f"{found['bytes'] / 2**20:.2f} MiB", *ratios, f"{found['error']:.0e}", *peaks]
        print("| " + " | ".join(cells) + " |", flush=True)
    print(f"\nGLB morph itself: written in {base['write']:.2f} s, read in {base['read']:.2f} s of CPU")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--only", default="", help="only the rows whose name has these letters in it")
    parser.add_argument("--runs", type=int, default=3, help="runs of which the best counts")
    parser.add_argument("--no-memory", action="store_true", help="leave out the two columns of memory")
    parser.add_argument("--child", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--frames", type=int, default=30, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child is not None:
        print(json.dumps(extra_memory(ROWS[options.child], options.frames)))
        return
    for changing in (False, True):
        if any(row.changing == changing and options.only.lower() in row.name.lower() for row in ROWS):
            print_table(changing, options.only.lower(), options.runs, not options.no_memory)


if __name__ == "__main__":
    main()
