"""The official validator (npm gltf-validator) finds no error and no warning in any way of writing."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from shapegen4d_core.camera import Camera
from shapegen4d_core.export import write_glb
from shapegen4d_core.sequence import MeshSequence
from tests.export.shapes import changing, waving

SCRIPT = Path(__file__).parents[1] / "tools" / "validate_gltf.cjs"
EXPLAINED = {
    "NODE_EMPTY": "an empty frame keeps its node, so that node t is frame t",
    "IMAGE_NPOT_DIMENSIONS": "the test's texture is 5 x 3 pixels",
    "UNUSED_OBJECT": "texture coordinates are kept for the user when there is no texture",
    "ACCESSOR_INDEX_TRIANGLE_DEGENERATE": "the test's stray face names one vertex twice",
}


def validate(paths: list[Path]) -> list[dict]:
    """The validator's report on each file; skips the test where node or the package is absent."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed, the official glTF validator cannot run")
    command = [node, str(SCRIPT), *map(str, paths)]
    run = subprocess.run(command, capture_output=True, text=True, cwd=SCRIPT.parents[2], timeout=120)
    if "Cannot find module 'gltf-validator'" in run.stderr:
        where = os.environ.get("GLTF_VALIDATOR", "not set")
        pytest.skip(f"npm package gltf-validator not found; set GLTF_VALIDATOR to its folder (now {where})")
    assert run.returncode == 0, run.stderr
    return [json.loads(line) for line in run.stdout.splitlines()]


def plain_samples() -> dict[str, MeshSequence]:
    """Sequences with something of their own, written as the defaults have it."""
    plain, random = waving(), np.random.default_rng(0)
    uv = random.random((42, 2), dtype=np.float32)
    stray = np.concatenate([plain.faces[0], np.int32([[0, 0, 1]])])
    lonely = tuple(np.concatenate([frame, frame[:1] * 2]) for frame in plain.vertices)
    return {
        "morph step": plain,
        "names": waving(name="F\u00fcchsin \u72d0"),
        "textured": textured(),
        "uv only": MeshSequence(plain.vertices, plain.faces, 24.0, uv=uv),
        "lonely vertex, degenerate face": MeshSequence(lonely, (stray,) * 6, 24.0),
        "part moves": part_moves(),
        "nothing moves": MeshSequence(plain.vertices[:1] * 3, plain.faces[:3], 24.0),
        "flip": changing(),
        "flip, ends empty": changing(empty=(0, 6)),
        "one frame": waving(frame_count=1),
        "300 frames": waving(frame_count=300),
    }


def textured() -> MeshSequence:
    plain, random = waving(), np.random.default_rng(0)
    uv = random.random((42, 2), dtype=np.float32)
    texture = random.integers(0, 256, (3, 5, 4), dtype=np.uint8)
    return MeshSequence(plain.vertices, plain.faces, 24.0, uv=uv, texture=texture)


def part_moves() -> MeshSequence:
    plain = waving()
    frames = tuple(np.concatenate([frame[:9], plain.vertices[0][9:]]) for frame in plain.vertices)
    return MeshSequence(frames, plain.faces, 24.0)


def variants() -> dict[str, tuple[MeshSequence, dict]]:
    """Every branch of the writer."""
    cameras = [Camera(40 * turn, 5 * turn, 3, (0, 0, 0), 40, 64, 48) for turn in range(6)]
    linear = {"interpolation": "LINEAR"}
    everything = {"quantize": True, "root_motion": "rigid", "camera": cameras, "loop": "cycle", **linear}
    return {
        **{name: (sequence, {}) for name, sequence in plain_samples().items()},
        "linear": (waving(), linear),
        "one frame, linear": (waving(1), linear),
        "unlit": (textured(), {"unlit": True}),
        "webp": (textured(), {"texture_format": "webp"}),
        "no normals": (waving(), {"normals": False}),
        "flip on request": (waving(), {"encoding": "flipbook"}),
        "cycle": (waving(), {"loop": "cycle"}),
        "flip, cycle": (changing(), {"loop": "cycle"}),
        "flip, ping-pong": (changing(), {"loop": "ping-pong"}),
        "300 frames, ping-pong": (waving(300), {"loop": "ping-pong", **linear}),
        "quantised": (textured(), {"quantize": True}),
        "quantised, part moves": (part_moves(), {"quantize": True}),
        "quantised flip": (changing(), {"quantize": True}),
        "camera": (waving(), {"camera": cameras[2]}),
        "cameras": (changing(6), {"camera": cameras}),
        "translation": (waving(), {"root_motion": "translation"}),
        "flip, translation": (changing(), {"root_motion": "translation", "quantize": True}),
        "everything": (textured(), {**everything, "unlit": True, "texture_format": "webp"}),
        "one frame, everything": (waving(1), {**everything, "camera": cameras[0]}),
    }


def test_no_errors_and_no_warnings(tmp_path):
    names, paths = [], []
    for number, (name, (sequence, options)) in enumerate(variants().items()):
        names.append(name)
        paths.append(write_glb(sequence, tmp_path / f"{number}.glb", **options))
    reports = validate(paths)
    assert len(reports) == len(names)
    for name, report in zip(names, reports):
        issues, messages = report["issues"], report["issues"]["messages"]
        assert (issues["numErrors"], issues["numWarnings"]) == (0, 0), (name, messages)
        assert {message["code"] for message in messages} <= set(EXPLAINED), (name, messages)


def test_the_validator_would_complain(tmp_path):
    path = write_glb(waving(), tmp_path / "broken.glb")
    content = path.read_bytes().replace(b'"max":[', b'"max":[9')
    length = len(content)
    path.write_bytes(content[:8] + length.to_bytes(4, "little") + content[12:])
    (report,) = validate([path])
    assert report["issues"]["numErrors"] > 0
