"""Rigs of known skins, of animals carried by their true motion and of soft motion: error, size, time.

Errors are distances of vertices in percent of the diagonal of the clip's box: root mean square and worst. "rig" and
"morph" are the sizes of a skinned GLB and of one with morph targets, without texture. Seconds are of the processor.
With --reference the implementation of the method's authors (pip install py-dem-bones) fits the same clips, its rest
pose frame 1, its weights and transforms evaluated by the same formula.

python benchmarks/rigging.py                              # all tables
python benchmarks/rigging.py --tables clips --reference
python benchmarks/rigging.py --tables joints influences   # the panda with other settings
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import trimesh
from _tracking_clips import ANIMATED, procedural

from shapegen4d_core.export.glb import write_glb
from shapegen4d_core.export.glb_skin import write_skinned_glb
from shapegen4d_core.geometry.coincident import coincident_vertices
from shapegen4d_core.importing import load_animated, to_sequence
from shapegen4d_core.rigging import RigSettings, fit_rig
from shapegen4d_core.sequence import MeshSequence

TABLES = ("clips", "joints", "influences", "error", "seeds", "without")
FAMILIES = ("quadruped", "biped", "bird", "fish", "arm")
HEAD = (
    f"{'clip':34} {'frames':>6} {'vertices':>8} {'joints':>6} {'rms':>9} {'worst':>8} {'rig':>9} {'morph':>9} "
    f"{'share':>7} {'CPU':>8}"
)


def animated(name: str, frames: int) -> MeshSequence:
    """A file of the tests, without texture."""
    mesh = to_sequence(load_animated(ANIMATED / f"{name}.glb", frames=frames))
    return MeshSequence(mesh.vertices, mesh.faces, mesh.fps, f"{name}, {frames} frames")


def blob(frames: int = 16, joints: int = 20) -> MeshSequence:
    """A true skin of 10 242 vertices, four of its joints to each, that turn and move without regard to each other."""
    random, mesh = np.random.default_rng(0), trimesh.creation.icosphere(5)
    places = mesh.vertices * (1, 0.4, 0.3)
    centres = places[random.choice(len(places), joints, replace=False)]
    weights = np.exp(-((places[:, None] - centres) ** 2).sum(axis=2) / 0.03)
    np.put_along_axis(weights, np.argsort(-weights, axis=1)[:, 4:], 0, axis=1)
    weights /= weights.sum(axis=1, keepdims=True)
    axes, phases, ways = random.normal(size=(joints, 3)), random.uniform(0, 6, joints), random.normal(size=(joints, 3))
    shapes = []
    for frame in range(frames):
        swing = np.sin(2 * np.pi * frame / frames + phases)[:, None]
        moved = np.zeros_like(places)
        for joint in range(joints):
            angle = 0.6 * swing[joint, 0] * np.linalg.norm(axes[joint])
            turn = trimesh.transformations.rotation_matrix(angle, axes[joint])[:3, :3]
            placed = (places - centres[joint]) @ turn.T + centres[joint] + 0.1 * swing[joint] * ways[joint]
            moved += weights[:, joint, None] * placed
        shapes.append(moved.astype(np.float32))
    faces = np.ascontiguousarray(mesh.faces, np.int32)
    return MeshSequence(shapes, [faces] * frames, 24.0, "skin of 20 joints, strongly blended")


def carried(family: str, frames: int, resolution: int) -> MeshSequence:
    """A procedural asset: the surface of its first frame, carried by its true motion."""
    clip = procedural(family, 1, frames, resolution)
    start = clip.meshes.vertices[0].astype(np.float64)
    shapes = [clip.carry(start, frame).astype(np.float32) for frame in range(frames)]
    return MeshSequence(shapes, [clip.meshes.faces[0]] * frames, 24.0, family)


def crumpled(frames: int = 16, side: int = 60) -> MeshSequence:
    """A sheet that takes a new, unrelated shape in every frame."""
    from scipy.ndimage import gaussian_filter

    random, line = np.random.default_rng(0), np.linspace(-1, 1, side)
    x, z = np.meshgrid(line, line)
    shapes = []
    for _ in range(frames):
        height = gaussian_filter(random.normal(size=(side, side)), side / 16, mode="wrap")
        shapes.append(np.stack([x, 0.2 * height / height.std(), z], axis=-1).reshape(-1, 3).astype(np.float32))
    corner = np.arange(side * side, dtype=np.int32).reshape(side, side)
    a, b, c, d = (part.reshape(-1) for part in (corner[:-1, :-1], corner[:-1, 1:], corner[1:, :-1], corner[1:, 1:]))
    faces = np.concatenate([np.stack([a, c, b], axis=1), np.stack([b, c, d], axis=1)])
    return MeshSequence(shapes, [faces] * frames, 24.0, "crumpling sheet (soft)")


def clips(options: argparse.Namespace) -> Iterator[MeshSequence]:
    """Skins, animals and soft motion, one after the other."""
    yield animated("panda_walk", options.frames)
    yield animated("panda_walk", 60)
    yield blob(options.frames)
    for family in options.families:
        yield carried(family, options.frames, options.resolution)
    yield animated("ripple", options.frames)
    yield crumpled(options.frames)


def row(meshes: MeshSequence, settings: RigSettings, label: str | None = None) -> str:
    """One line of a table."""
    start = time.process_time()
    rig = fit_rig(meshes, settings)
    seconds = time.process_time() - start
    with tempfile.TemporaryDirectory() as folder:
        skin = write_skinned_glb(meshes, rig, Path(folder) / "skin.glb").stat().st_size / 1024
        morph = write_glb(meshes, Path(folder) / "morph.glb").stat().st_size / 1024
    report = rig.report
    return (
        f"{label or meshes.name:34} {meshes.frame_count:6} {len(rig.rest):8} {report.joints:6} {report.rms:7.3f} % "
        f"{report.worst:6.2f} % {skin:5.0f} KiB {morph:5.0f} KiB {100 * skin / morph:5.1f} % {seconds:6.1f} s"
    )


def reference(meshes: MeshSequence, joints: int) -> str:
    """The same clip by the authors' own implementation."""
    from py_dem_bones import DemBonesWrapper

    size = np.linalg.norm(np.ptp(meshes.bounds().astype(float), axis=0))
    groups = coincident_vertices(meshes.vertices)  # it begins by the mesh's edges, which seams would cut
    _, first = np.unique(groups, return_index=True)
    frames = np.stack(meshes.vertices)[:, first].astype(float) / size
    solver = DemBonesWrapper()
    solver.num_iterations, solver.weight_smoothness, solver.max_influences = 100, 0.0, 4
    solver.set_mesh_sequence(frames[0], frames, bone_count=joints, faces=groups[meshes.faces[0]].tolist())
    start = time.process_time()
    solver.compute()
    seconds, found = time.process_time() - start, solver.get_skinning_result()
    places = np.concatenate([frames[0], np.ones((frames.shape[1], 1))], axis=1)
    moved = np.einsum("jv,tjik,vk->tvi", found.weights, found.transforms[:, :, :3], places, optimize=True)
    off = 100 * np.linalg.norm(moved - frames, axis=2)
    return (
        f"{'  by py-dem-bones':34} {'':6} {'':8} {len(found.weights):6} {np.sqrt((off**2).mean()):7.3f} % "
        f"{off.max():6.2f} % {'':9} {'':9} {'':7} {seconds:6.1f} s"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--tables", choices=TABLES, nargs="*", default=list(TABLES))
    parser.add_argument("--families", choices=FAMILIES, nargs="*", default=list(FAMILIES))
    parser.add_argument("--frames", type=int, default=16, help="frames per clip")
    parser.add_argument("--resolution", type=int, default=96, help="cells of marching cubes per axis")
    parser.add_argument("--joints", type=int, default=24)
    parser.add_argument("--reference", action="store_true", help="also fit the clips by py-dem-bones")
    options = parser.parse_args()
    panda, settings = animated("panda_walk", options.frames), RigSettings(joints=options.joints)
    if "clips" in options.tables:
        print(HEAD)
        for clip in clips(options):
            print(row(clip, settings), flush=True)
            if options.reference:
                print(reference(clip, options.joints), flush=True)
    variants = {
        "joints": [(f"{count} joints", {"joints": count}) for count in (4, 8, 16, 24, 42, 64)],
        "influences": [(f"{count} per vertex", {"influences": count}) for count in (1, 2, 4, 8)],
        "error": [(f"error {error} %", {"joints": 64, "error": error}) for error in (1.0, 0.3, 0.1, 0.03)],
        "seeds": [(f"seed {seed}", {"seed": seed}) for seed in (1, 2, 3)],
        "without": [("1 try", {"tries": 1}), ("10 iterations", {"iterations": 10}), ("rest kept", {"fit_rest": False})],
    }
    for table, rows in variants.items():
        if table in options.tables:
            print(f"\n{HEAD}")
            for label, changes in rows:
                print(row(panda, RigSettings(**{"joints": options.joints, **changes}), f"panda, {label}"), flush=True)


if __name__ == "__main__":
    main()
