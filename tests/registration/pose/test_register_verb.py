"""``shapegen4d register``: files in, files out."""

from __future__ import annotations

import json

import numpy as np
import pytest

from shapegen4d_core import cli
from shapegen4d_core.registration.pose.result import outline_overlap
from shapegen4d_core.sequence import Camera, Clip, MeshSequence


@pytest.fixture(scope="module")
def folder(brief, tmp_path_factory):
    path = tmp_path_factory.mktemp("verb")
    brief.meshes.save(path / "meshes.safetensors")
    brief.clip.save(path / "clip.safetensors")
    return path


def run(*arguments) -> int:
    return cli.main([str(argument) for argument in arguments])


def test_everything_that_is_asked_for_is_written(folder, capsys):
    out, camera = folder / "out.safetensors", folder / "camera.safetensors"
    overlay, report = folder / "overlay.png", folder / "report.json"
    code = run(
        "register", folder / "meshes.safetensors", folder / "clip.safetensors", "-o", out, "--camera", camera,
        "--overlay", overlay, "--report", report, "--views", 64, "--rivals", 1, "--quiet",
    )  # fmt: skip
    assert code == 0 and "Outline overlap (IoU): mean 0.9" in capsys.readouterr().out
    iou = outline_overlap(MeshSequence.load(out), Camera.load(camera), Clip.load(folder / "clip.safetensors"))
    written = json.loads(report.read_text(encoding="utf-8"))
    np.testing.assert_allclose(written["iou"], iou)
    assert iou.min() > 0.95 and overlay.stat().st_size > 1000 and np.shape(written["rotation"]) == (3, 3)


@pytest.mark.parametrize("name, words", [("out.obj", "one OBJ holds one frame"), ("o.safetensors", "2 meshes")])
def test_refusals_are_one_line_and_leave_nothing(folder, brief, name, words, capsys):
    Clip(brief.clip.frames[:1], 8.0).save(folder / "short.safetensors")
    inputs = folder / "meshes.safetensors", folder / "short.safetensors"
    assert run("register", *inputs, "-o", folder / name, "--quiet") == 2
    message = capsys.readouterr().err
    assert words in message and message.count("\n") == 1
    assert not (folder / name).exists()
