"""Tracking against hidden true motion, with each ingredient taken away, and the frames where topology changes.

Errors are mean distances of vertices from where they truly belong, in percent of the diagonal of the clip's box.
"ratio" is the Chamfer distance to the frame's own mesh over that of two samples of it. "flipped" is the report's count,
made without the truth; "turned" faces look away from their true image, "inverted" ones also from the true surface
where they lie. Seconds are per pair of frames.

python benchmarks/tracking.py                       # all tables
python benchmarks/tracking.py --tables clips --faces 10000
python benchmarks/tracking.py --tables topology     # changes in clips of merging blobs, and none in others
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
from _tracking_clips import HiddenClip, animated, diagonal, procedural, turned_over
from safetensors.numpy import load_file

from shapegen4d_core.geometry.distances import chamfer_distance
from shapegen4d_core.geometry.mesh import area_vectors
from shapegen4d_core.geometry.solid_topology import solid_topology
from shapegen4d_core.geometry.surface_points import sample_surface
from shapegen4d_core.registration.tracking import TrackSettings, track_topology
from shapegen4d_core.registration.tracking.changes import BOUNDS, count_topology, list_changes
from shapegen4d_core.registration.tracking.fit import Fitter
from shapegen4d_core.registration.tracking.surface import Template

TABLES = ("golden", "clips", "ingredients", "topology")
REFERENCE = Path(__file__).parents[1] / "tests" / "reference" / "geometry" / "registration.safetensors"
FAMILIES = ("quadruped", "biped", "bird", "fish", "bender", "arm")
WITHOUT = {
    "all of it": {},
    "no coarse graph": {"coarse_iterations": 0},
    "no normals in the search": {"normal_weight": 0.0},
    "points only (plane 0)": {"plane": 0.0},
    "planes mostly (plane 0.9)": {"plane": 0.9},
    "no annealing": {"stiffness": (0.001, 0.001)},
    "stiffer end (0.01)": {"stiffness": (0.1, 0.01)},
    "half the rounds": {"iterations": 20, "coarse_iterations": 10},
    "half the samples": {"samples": 4000},
    "no smooth rotations": {"smoothness": 0.0},
    "rigidity against the frame before": {"memory": 0.0},
    "rigidity against the anchor": {"memory": 1.0},
    "anchor fitted again every 2nd frame": {"refit": 2},
    "back from the ends too": {"bidirectional": True},
    "large steps instead (no graph)": {"solver": "large-steps", "coarse_iterations": 0},
}


def golden(changes: dict) -> str:
    """Error, distance and flips on the two reference pairs, with seconds."""
    pairs, settings, cells = load_file(REFERENCE), TrackSettings(**changes), []
    for name in ("mild", "strong"):
        source, faces, target, target_faces, truth = (
            pairs[f"{name}.{key}"]
            for key in ("source_verts", "source_faces", "target_verts", "target_faces", "truth_moved_source")
        )
        start = time.process_time()
        fitter = Fitter(Template(source, faces, settings.samples, 0), settings)
        found = fitter.fit(source, fitter.target(target, target_faces, 1))
        seconds, size = time.process_time() - start, np.linalg.norm(np.ptp(target, axis=0))
        clouds = sample_surface(found, faces, 20000, 1), sample_surface(target, target_faces, 20000, 2)
        again = sample_surface(target, target_faces, 20000, 3)
        flipped = ((area_vectors(found, faces) * area_vectors(truth, faces)).sum(axis=1) < 0).mean()
        error = 100 * np.linalg.norm(found - truth, axis=1).mean() / size
        ratio = chamfer_distance(*clouds) / chamfer_distance(again, clouds[1])
        cells.append(f"{error:6.2f} % {ratio:5.2f} {100 * flipped:5.2f} % {seconds:5.1f} s")
    return " | ".join(cells)


def measured(clip: HiddenClip, settings: TrackSettings) -> str:
    """One line: errors against the truth, ratios, flips by the report and by the truth, seconds per pair."""
    wall, busy = time.perf_counter(), time.process_time()
    result = track_topology(clip.meshes, settings)
    pairs = clip.meshes.frame_count - 1
    wall, busy = (time.perf_counter() - wall) / pairs, (time.process_time() - busy) / pairs
    vertices, faces, size = result.meshes.vertices, result.meshes.faces[0], diagonal(clip.meshes)
    vertices = [shape.astype(float) for shape in vertices]
    truth = [clip.carry(vertices[0], t) for t in range(pairs + 1)]
    error = [100 * np.linalg.norm(vertices[t] - truth[t], axis=1).mean() / size for t in range(1, pairs + 1)]
    still = [100 * np.linalg.norm(truth[t] - truth[t - 1], axis=1).mean() / size for t in range(1, pairs + 1)]
    over = [100 * turned_over(clip, vertices[0], vertices[t], faces, t) for t in range(1, pairs + 1)]
    turned, inverted = np.mean(over, axis=0)
    rows = result.report.frames[1:]
    ratio, flipped = [row.ratio for row in rows], [100 * row.flipped for row in rows]
    return (
        f"{np.mean(still):6.2f} % {np.mean(error):6.2f} % {error[-1]:6.2f} % "
        f"{np.mean(ratio):6.2f} {np.max(ratio):6.2f} {np.mean(flipped):6.2f} % {turned:6.2f} % "
        f"{inverted:6.2f} % {len(faces):7} {wall:7.1f} s {busy:7.1f} s"
    )


HEAD = (
    f"{'moves':>8} {'error':>8} {'at end':>8} {'ratio':>6} {'worst':>6} {'flipped':>8} {'turned':>8} "
    f"{'inverted':>8} {'faces':>7} {'seconds':>9} {'CPU':>9}"
)


def topology(seeds: int, frames: int, resolution: int) -> None:
    """Frames where parts or hollows change by the exact field and as detected from the meshes."""
    right = missed = false = 0
    names = [("metaballs", seed) for seed in range(seeds)] + [("metaballs_orbit", seed) for seed in range(seeds // 2)]
    for family, seed in [*names, *((family, 1) for family in FAMILIES)]:
        clip = procedural(family, seed, frames, resolution)
        meshes = list(zip(clip.meshes.vertices, clip.meshes.faces))
        found = {change.frame for change in list_changes(count_topology(meshes)) if change.certain}
        true = {change.frame for change in list_changes(_exact(family, seed, frames)) if change.certain}
        right, missed, false = right + len(found & true), missed + len(true - found), false + len(found - true)
        wrong = "" if found == true else f"  true {sorted(true)}"
        print(f"{clip.name:20} found {sorted(found)}{wrong}", flush=True)
    print(f"right frame {right}, missed {missed}, false {false}")


def _exact(family: str, seed: int, frames: int) -> list:
    from shapegen4d_core.data.procedural import ProceduralSettings, build_asset

    asset = build_asset(family, seed, ProceduralSettings(frames=frames))
    axis = (np.arange(160) + 0.5) * (2 * BOUNDS / 160) - BOUNDS
    grid = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1).reshape(-1, 3)
    return [solid_topology(asset.field(t, grid, False).reshape(160, 160, 160) > 0) for t in range(frames)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--tables", choices=TABLES, nargs="*", default=list(TABLES))
    parser.add_argument("--families", choices=FAMILIES, nargs="*", default=list(FAMILIES))
    parser.add_argument("--frames", type=int, default=8, help="frames per clip")
    parser.add_argument("--resolution", type=int, default=96, help="cells of marching cubes per axis")
    parser.add_argument("--faces", type=int, default=10_000, help="faces carried along in table clips")
    parser.add_argument("--few-faces", type=int, default=3000, help="faces carried along in table ingredients")
    parser.add_argument("--few-frames", type=int, default=5, help="frames per clip in table ingredients")
    parser.add_argument("--only", choices=list(WITHOUT), nargs="*", help="rows of table ingredients")
    parser.add_argument("--seeds", type=int, default=10, help="clips of merging blobs")
    options = parser.parse_args()
    if "golden" in options.tables:
        print("reference pairs: error, ratio, flipped by truth, CPU seconds; mild | strong")
        for name, changes in WITHOUT.items():
            if not {"memory", "refit", "bidirectional"} & set(changes):  # of sequences
                print(f"{name:36} {golden(changes)}", flush=True)
    if "clips" in options.tables:
        print(f"\n{'clip':36} {HEAD}")
        clips = [procedural(family, 1, options.frames, options.resolution) for family in options.families]
        for clip in [*clips, animated("panda_walk", 16), animated("ripple", options.frames)]:
            line = measured(clip, TrackSettings(faces=options.faces, on_change="force"))
            print(f"{clip.name:36} {line}", flush=True)
    if "ingredients" in options.tables:
        few = [procedural("biped", 1, options.frames, options.resolution), animated("panda_walk", options.frames)]
        for clip in (_short(clip, options.few_frames) for clip in few):
            print(f"\n{clip.name:36} {HEAD}")
            for name in options.only or WITHOUT:
                changes = WITHOUT[name]
                line = measured(clip, TrackSettings(faces=options.few_faces, on_change="force", **changes))
                print(f"{name:36} {line}", flush=True)
    if "topology" in options.tables:
        print()
        topology(options.seeds, 2 * options.frames, options.resolution)


def _short(clip: HiddenClip, frames: int) -> HiddenClip:
    meshes = clip.meshes
    cut = type(meshes)(meshes.vertices[:frames], meshes.faces[:frames], meshes.fps, meshes.name)
    return HiddenClip(clip.name, cut, clip.carry, clip.image, clip.looks)


if __name__ == "__main__":
    main()
