"""The official validator (npm gltf-validator) finds no error and no warning in either encoding."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

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


def samples() -> dict[str, tuple[MeshSequence, str]]:
    """One sequence for every branch of the writer."""
    plain, random = waving(), np.random.default_rng(0)
    uv = random.random((42, 2), dtype=np.float32)
    texture = random.integers(0, 256, (3, 5, 4), dtype=np.uint8)
    stray = np.concatenate([plain.faces[0], np.int32([[0, 0, 1]])])
    lonely = tuple(np.concatenate([frame, frame[:1] * 2]) for frame in plain.vertices)
    return {
        "morph step": (plain, "STEP"),
        "morph linear": (waving(name="F\u00fcchsin \u72d0"), "LINEAR"),
        "textured": (MeshSequence(plain.vertices, plain.faces, 24.0, uv=uv, texture=texture), "STEP"),
        "uv only": (MeshSequence(plain.vertices, plain.faces, 24.0, uv=uv), "STEP"),
        "lonely vertex, degenerate face": (MeshSequence(lonely, (stray,) * 6, 24.0), "STEP"),
        "flip": (changing(), "STEP"),
        "flip, ends empty": (changing(empty=(0, 6)), "STEP"),
        "one frame": (waving(frame_count=1), "LINEAR"),
        "300 frames": (waving(frame_count=300), "STEP"),
    }


def test_no_errors_and_no_warnings(tmp_path):
    names, paths = [], []
    for number, (name, (sequence, interpolation)) in enumerate(samples().items()):
        names.append(name)
        paths.append(write_glb(sequence, tmp_path / f"{number}.glb", interpolation=interpolation))
    names.append("unlit")
    paths.append(write_glb(samples()["textured"][0], tmp_path / "unlit.glb", unlit=True))
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
