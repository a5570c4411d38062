"""RegisterPose on clips whose pose is known: rotation error, outline overlap and time, and what each stage is worth.

Random cameras all around ten animated subjects, 8 frames of 256 x 256 pixels in unknown light, no weights. Results are
kept line by line in ``--folder`` and not computed again, so a run can be stopped and continued.

    python benchmarks/pose.py                                  # 10 cases per row, about a quarter of an hour
    python benchmarks/pose.py --cases 100 --rows exact mismatch
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parent))

from _pose_clips import SUBJECTS, make_case  # noqa: E402

from shapegen4d_core.errors import InputError  # noqa: E402
from shapegen4d_core.registration.pose import PoseSettings, register_pose  # noqa: E402
from shapegen4d_core.registration.pose.poses import angle_between, rotations  # noqa: E402
from shapegen4d_core.rendering import contact_sheet, render_sequence, save_png  # noqa: E402

# name: (what it shows, how the clip is made, settings)
ROWS = {
    "exact": ("exact shape", {}, {}),
    "mismatch": ("5 % shape mismatch", {"mismatch": 0.05}, {}),
    "mismatch_10": ("10 % shape mismatch", {"mismatch": 0.10}, {}),
    "roll": ("exact shape, any roll", {"roll": True}, {"roll": True}),
    "one_frame": ("exact shape, clip of one frame", {"frames": 1}, {}),
    "fit_one_frame": ("mismatch, last fit on 1 frame", {"mismatch": 0.05}, {"frames": 1}),
    "no_appearance": ("mismatch, outlines only", {"mismatch": 0.05}, {"appearance": False}),
    "no_settle": ("mismatch, candidates not settled", {"mismatch": 0.05}, {"settle": False}),
    "no_rivals": ("mismatch, one rival", {"mismatch": 0.05}, {"rivals": 1}),
    "no_swarm": ("mismatch, no swarm", {"mismatch": 0.05}, {"moves": 0}),
    "no_refine": ("mismatch, no last fit", {"mismatch": 0.05}, {"refine": False}),
    "only_swarm": ("mismatch, swarm alone", {"mismatch": 0.05}, {"settle": False, "refine": False}),
    "few_views": ("mismatch, 64 views", {"mismatch": 0.05}, {"views": 64}),
    "fov": ("exact shape, lens searched", {}, {"search_fov": True, "fov_degrees": 50.0}),
    "faithful": ("exact shape, published counts", {}, {"preset": "faithful"}),
    "faithful_mismatch": ("mismatch, published counts", {"mismatch": 0.05}, {"preset": "faithful"}),
}
SLOW = ("faithful", "faithful_mismatch", "fov")


def main() -> int:
    """Run what is missing and print the table; returns 0."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=10, help="clips per row (default: 10)")
    parser.add_argument("--slow-cases", type=int, default=4, help="clips per row that takes minutes each (default: 4)")
    parser.add_argument("--rows", nargs="*", choices=ROWS, default=list(ROWS), help="rows of the table (default: all)")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "shapegen4d_pose_benchmark")
    parser.add_argument("--sheets", action="store_true", help="write contact sheets of all failures and some successes")
    chosen = parser.parse_args()
    for row in chosen.rows:
        count = min(chosen.cases, chosen.slow_cases) if row in SLOW else chosen.cases
        for seed in range(count):
            if seed not in results(chosen.folder, row):
                run_case(chosen.folder, row, seed, chosen.sheets)
    print("| row | cases | success | median error | worst | error <= before | median IoU | s per clip, wall / CPU |")
    print("|---|---|---|---|---|---|---|---|")
    for row in chosen.rows:
        print(line(ROWS[row][0], list(results(chosen.folder, row).values())))
    return 0


def results(folder: Path, row: str) -> dict[int, dict]:
    """What is known of a row, by seed."""
    path = folder / f"{row}.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    return {entry["seed"]: entry for entry in map(json.loads, lines)}


def run_case(folder: Path, row: str, seed: int, sheets: bool) -> None:
    """Register one clip and append its figures."""
    _, film, settings = ROWS[row]
    case = make_case(SUBJECTS[seed % len(SUBJECTS)], seed, folder / "subjects", **film)
    wall, cpu = time.perf_counter(), time.process_time()
    try:
        found = register_pose(case.meshes, case.clip, PoseSettings(seed=seed, **settings))
    except InputError as error:  # the published search may end beside the object
        print(f"{row} {case.name}: {error}", file=sys.stderr)
        keep(folder, row, {"seed": seed, "name": case.name, "wall": time.perf_counter() - wall,
                           "cpu": time.process_time() - cpu, "iou": 0.0, "error": 180.0})  # fmt: skip
        return
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    entry = {"seed": seed, "name": case.name, "wall": wall, "cpu": cpu, "iou": float(found.iou.mean())}
    entry["error"] = float(angle_between(torch.from_numpy(found.rotation), case.rotation))
    last = found.report["stages"].get("refine", {})
    if "start" in last:
        start = rotations(torch.tensor(last["start"], dtype=torch.float64)[None])[0]
        entry["error_before"] = float(angle_between(start, case.rotation))
        entry["iou_before"], entry["iou_after"] = last["before"]["iou"], last["after"]["iou"]
        entry["kept"] = last["kept"]
    entry["fov"] = found.camera.fov_degrees
    if sheets and (seed < 10 or entry["error"] >= 3):
        write_sheet(folder, row, case, found, entry)
    keep(folder, row, entry)
    print(f"{row} {case.name}: {entry['error']:.2f} degrees, IoU {entry['iou']:.3f}, {cpu:.1f} s", file=sys.stderr)


def keep(folder: Path, row: str, entry: dict) -> None:
    """Append one line to the row's file."""
    with (folder / f"{row}.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(entry) + "\n")


def write_sheet(folder: Path, row: str, case, found, entry: dict) -> None:
    """The clip above the render of the result and above the difference of both outlines (red: clip only)."""
    film = case.clip.frames.numpy()
    render = render_sequence(found.meshes, found.camera).numpy()
    gap = film[..., 3:] - render[..., 3:]
    colour = (1 - 0.8 * abs(gap)).repeat(3, axis=-1)
    colour[..., 0] += 0.8 * gap[..., 0].clip(0, 1)
    colour[..., 2] += 0.8 * (-gap[..., 0]).clip(0, 1)
    title = f"{row} {case.name}: {entry['error']:.2f} degrees, IoU {entry['iou']:.3f}"
    sheet = contact_sheet([film, render, colour.clip(0, 1)], labels=[title, "registered", "outlines: clip only red"])
    save_png(sheet, folder / f"{row}_{case.name}.png")


def line(title: str, rows: list[dict]) -> str:
    """One line of the table; success is an error below 3 degrees with a mean IoU above 0.97."""
    if not rows:
        return f"| {title} | 0 |  |  |  |  |  |  |"
    errors = [row["error"] for row in rows]
    good = sum(row["error"] < 3 and row["iou"] > 0.97 for row in rows)
    near = sum(row["error"] < 5 for row in rows)
    compared = [row for row in rows if "error_before" in row]
    kept = sum(row["error"] <= row["error_before"] + 0.1 for row in compared)
    middle = {key: statistics.median(row[key] for row in rows) for key in ("error", "iou", "wall", "cpu")}
    return (
        f"| {title} | {len(rows)} | {good} ({near} below 5 degrees) | {middle['error']:.2f} | {max(errors):.1f} "
        f"| {f'{kept} of {len(compared)}' if compared else '-'} | {middle['iou']:.3f} "
        f"| {middle['wall']:.1f} / {middle['cpu']:.1f} |"
    )


if __name__ == "__main__":
    sys.exit(main())
