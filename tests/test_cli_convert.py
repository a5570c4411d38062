"""``convert``: every format in, every format out, its settings, and what it refuses before reading."""

from __future__ import annotations

import json

import numpy as np
import pytest

from shapegen4d_core import cli
from shapegen4d_core.importing import read_sequence
from shapegen4d_core.sequence import Camera, MeshSequence
from tests.export.shapes import changing, waving


def run(*arguments) -> int:
    return cli.main([str(argument) for argument in ("convert", *arguments, "--quiet")])


@pytest.fixture
def folder(tmp_path):
    waving(4, 8.0).save(tmp_path / "wave.safetensors")
    changing(4, 8.0, empty=()).save(tmp_path / "change.safetensors")
    Camera(10, 20, 3, (0, 0, 0), 40, 64, 48).save(tmp_path / "camera.safetensors")
    return tmp_path


def document(path) -> dict:
    content = path.read_bytes()
    return json.loads(content[20 : 20 + int.from_bytes(content[12:16], "little")])


def test_a_chain_through_every_format_changes_nothing(folder, capsys):
    previous = folder / "change.safetensors"
    for name in ("a.usdc", "frames", "b.usda", "c.glb", "d.usdz", "e.safetensors"):
        assert run(previous, "-o", folder / name) == 0
        previous = folder / name
    assert "e.safetensors: 4 frames at 8 fps" in capsys.readouterr().out
    before, after = MeshSequence.load(folder / "change.safetensors"), MeshSequence.load(previous)
    for old, new in zip(before.vertices + before.faces, after.vertices + after.faces):
        np.testing.assert_array_equal(new, old)


def test_point_cache_and_back(folder):
    assert run(folder / "wave.safetensors", "-o", folder / "a.mdd") == 0
    assert run(folder / "a.mdd", "-o", folder / "b.safetensors") == 0
    before, after = (MeshSequence.load(folder / name) for name in ("wave.safetensors", "b.safetensors"))
    np.testing.assert_array_equal(np.stack(after.vertices), np.stack(before.vertices))


def test_settings_reach_the_file(folder):
    source = folder / "wave.safetensors"
    options = ("--interpolation", "STEP", "--loop", "ping-pong", "--quantize", "--root-motion", "translation")
    assert run(source, "-o", folder / "a.glb", *options, "--camera", folder / "camera.safetensors") == 0
    content = document(folder / "a.glb")
    assert "KHR_mesh_quantization" in content["extensionsRequired"] and len(content["cameras"]) == 1
    channels = {channel["target"]["path"] for channel in content["animations"][0]["channels"]}
    assert channels == {"weights", "translation"}
    assert {sampler["interpolation"] for sampler in content["animations"][0]["samplers"]} == {"STEP"}
    assert run(source, "-o", folder / "frames", "--kind", "ply", "--fps", "30") == 0
    assert len(list((folder / "frames").glob("*.ply"))) == 4 and read_sequence(folder / "frames").fps == 30
    assert run(source, "-o", folder / "z.usda", "--up-axis", "Z") == 0
    assert 'upAxis = "Z"' in (folder / "z.usda").read_text()


def test_bones_and_their_error(folder, capsys):
    assert run(folder / "wave.safetensors", "-o", folder / "a.glb", "--joints", "6") == 0
    assert "joints, at most 4 per vertex: off by" in capsys.readouterr().out
    assert len(document(folder / "a.glb")["skins"][0]["joints"]) <= 6


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("wave.safetensors", "-o", "a.fbx"), "FBX has no open writer"),
        (("wave.safetensors", "-o", "a.usdc", "--quantize"), "quantize is a setting of .glb"),
        (("wave.safetensors", "-o", "no/a.glb"), "does not exist"),
        (("wave.safetensors", "-o", "a.usdc", "--joints", "4"), "A rig is written to .glb files"),
        (("wave.safetensors", "-o", "a.glb", "--rig-error", "1"), "--rig-error goes with --joints"),
        (("wave.safetensors", "-o", "a.glb", "--camera", "wave.safetensors"), "but a Camera is needed"),
        (("change.safetensors", "-o", "a.pc2"), "topology"),
        (("change.safetensors", "-o", "a.glb", "--joints", "4"), "topology"),
        (("missing.glb", "-o", "a.usdc"), "missing.glb"),
        (("wave.safetensors", "-o", "a.glb", "--fps", "0"), "fps"),
    ],
)
def test_refusals_are_one_sentence_and_leave_nothing(folder, capsys, monkeypatch, arguments, message):
    monkeypatch.chdir(folder)
    before = set(folder.iterdir())
    assert run(*arguments) == 2
    error = capsys.readouterr().err.strip()
    assert message in error and error.count("\n") == 0
    assert set(folder.iterdir()) == before


@pytest.mark.parametrize("suffix", ["", ".glb", ".usda", ".pc2", ".safetensors"])
def test_names_longer_than_any_system_takes_are_one_sentence(folder, capsys, suffix):
    assert run("a" * 300 + suffix, "-o", folder / "b.glb") == 2
    assert run(folder / "wave.safetensors", "-o", folder / ("b" * 300 + suffix)) == 2
    assert "Traceback" not in capsys.readouterr().err


def test_warnings_are_one_line_without_a_place_in_the_source(folder, capsys):
    frames = tuple(np.concatenate([frame, np.float32([[9, 9, 9]])]) for frame in waving(3).vertices)
    MeshSequence(frames, waving(3).faces, 8.0).save(folder / "loose.safetensors")
    assert run(folder / "loose.safetensors", "-o", folder / "a.pc2") == 0
    assert capsys.readouterr().err.startswith("shapegen4d: 1 vertices belong to no face")
