"""Skinned GLBs: read back to the rig's own evaluation, valid, small, and refused in one sentence."""

from __future__ import annotations

import json
import warnings
from dataclasses import replace

import numpy as np
import pytest

from shapegen4d_core.camera import Camera
from shapegen4d_core.errors import Cancelled, InputError
from shapegen4d_core.export import write_glb
from shapegen4d_core.export.glb_skin import write_skinned_glb
from shapegen4d_core.export.quaternions import quaternions
from shapegen4d_core.importing import load_sequence
from shapegen4d_core.rigging import RigSettings, fit_rig
from tests.export.glb_reader import read_glb
from tests.export.test_glb_validator import validate
from tests.rigging.skins import tube

FAST = {"iterations": 3, "tries": 1}


def textured(**fields):
    plain = tube(5, 8, rings=24)
    random = np.random.default_rng(0)
    uv = random.random((len(plain.vertices[0]), 2), dtype=np.float32)
    texture = random.integers(0, 256, (16, 16, 3), dtype=np.uint8)
    return replace(plain, uv=uv, texture=texture, name="F\u00fcchsin \u72d0", settings={"seed": 7}, **fields)


@pytest.fixture(scope="module")
def meshes():
    return textured()


@pytest.fixture(scope="module", params=[1, 3, 4, 6])
def any_rig(request, meshes):
    return fit_rig(meshes, RigSettings(joints=8, influences=request.param, **FAST))


@pytest.fixture(scope="module")
def rig(meshes):
    return fit_rig(meshes, RigSettings(joints=6, **FAST))


def write(sequence, rig, path, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return write_skinned_glb(sequence, rig, path, **options)


@pytest.mark.parametrize("interpolation", ["auto", "STEP"])
def test_our_importer_gives_back_what_the_rig_says(tmp_path, meshes, any_rig, interpolation):
    found = load_sequence(write(meshes, any_rig, tmp_path / "a.glb", interpolation=interpolation))
    assert (found.fps, found.frame_count, found.name) == (meshes.fps, 8, meshes.name)
    assert found.settings == {"seed": 7}
    np.testing.assert_array_equal(found.faces[0], meshes.faces[0])
    np.testing.assert_allclose(found.uv, meshes.uv, atol=1e-7)
    np.testing.assert_array_equal(found.texture, meshes.texture)
    side = float(np.ptp(meshes.bounds(), axis=0).max())
    for frame in range(8):
        np.testing.assert_allclose(found.vertices[frame], any_rig.vertices(frame), atol=4e-7 * side)
    assert max(np.abs(now - first).max() for now, first in zip(found.vertices, found.vertices[:1] * 8)) > 0.1 * side


def test_validator(tmp_path, meshes, any_rig):
    camera = [Camera(10.0 * frame, 5, 3, (0, 0, 0), 40, 320, 240) for frame in range(8)]
    paths = [
        write(meshes, any_rig, tmp_path / "a.glb"),
        write(meshes, any_rig, tmp_path / "b.glb", unlit=True, texture_format="webp", camera=camera),
        write(tube(5, 8, rings=24), any_rig, tmp_path / "c.glb", interpolation="STEP"),
    ]
    for report in validate(paths):
        issues = report["issues"]
        assert (issues["numErrors"], issues["numWarnings"]) == (0, 0), issues["messages"]
        assert {message["code"] for message in issues["messages"]} <= {"UNSUPPORTED_EXTENSION"}, issues["messages"]


def test_the_file_says_what_the_rig_is_worth(tmp_path, meshes, rig):
    glb = read_glb(write(meshes, rig, tmp_path / "a.glb", extras={"prompt": "{}"}))
    ours = glb.json["asset"]["extras"]["shapegen4d"]
    assert ours["rig"] == {"joints": 6, "rms_percent": rig.report.rms, "worst_percent": rig.report.worst}
    assert (ours["fps"], ours["frames"], ours["name"]) == (24.0, 8, meshes.name)
    assert glb.json["asset"]["extras"]["prompt"] == "{}"


def test_joints_are_where_they_move_things_and_keys_where_frames_are(tmp_path, meshes, rig):
    glb = read_glb(write(meshes, rig, tmp_path / "a.glb"))
    skin = glb.json["skins"][0]
    assert [glb.json["nodes"][node]["name"] for node in skin["joints"][:2]] == ["joint_001", "joint_002"]
    for node, pivot in zip(skin["joints"], rig.pivots):
        np.testing.assert_allclose(glb.json["nodes"][node]["translation"], pivot, atol=1e-6)
    shares = np.zeros((len(rig.rest), 6))
    for k in range(4):
        np.add.at(shares, (np.arange(len(rig.rest)), rig.joints[:, k]), rig.weights[:, k])
    np.testing.assert_allclose(rig.pivots, shares.T @ rig.rest / shares.sum(axis=0)[:, None], atol=1e-6)
    for times in glb.key_times():
        np.testing.assert_allclose(times, np.arange(9) / 24, atol=1e-7)
    modes = {sampler["interpolation"] for sampler in glb.json["animations"][0]["samplers"]}
    assert modes == {"LINEAR"} and len(glb.json["animations"][0]["channels"]) == 12


def test_rotations_take_the_shorter_way():
    angles = np.linspace(0, 4 * np.pi, 40)
    turns = np.stack([[[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]] for a in angles])
    found = quaternions(turns)
    assert ((found[1:] * found[:-1]).sum(axis=1) > 0.98).all()
    x, y, z, w = found.T
    np.testing.assert_allclose([1 - 2 * z * z, 2 * z * w], [np.cos(angles), np.sin(angles)], atol=1e-6)


def test_a_fraction_of_the_size_of_morph_targets(tmp_path, rig, meshes):
    skin, morph = write(meshes, rig, tmp_path / "s.glb"), write_glb(meshes, tmp_path / "m.glb")
    assert skin.stat().st_size < 0.7 * morph.stat().st_size  # of 8 frames; it hardly grows with more
    picture = len(json.dumps(read_glb(skin).json))
    assert picture < 20_000


def test_many_influences_are_warned_of(tmp_path, meshes):
    many = fit_rig(meshes, RigSettings(joints=8, influences=6, **FAST))
    assert many.report.influences > 4
    with pytest.warns(UserWarning, match="many viewers read 4"):
        write_skinned_glb(meshes, many, tmp_path / "a.glb")
    glb = read_glb(tmp_path / "a.glb")
    assert "WEIGHTS_1" in glb.json["meshes"][0]["primitives"][0]["attributes"]


@pytest.mark.parametrize(
    ("change", "name", "options", "words"),
    [
        ({}, "a.gltf", {}, "must end in .glb"),
        ({}, "a.glb", {"interpolation": "CUBICSPLINE"}, "interpolation is 'CUBICSPLINE'"),
        ({}, "a.glb", {"texture_format": "jpg"}, "texture_format is 'jpg'"),
        ({"texture": None}, "a.glb", {"unlit": True}, "unlit shows only a texture"),
        ({}, "a.glb", {"extras": {"shapegen4d": 1}}, "use another name"),
        ({}, "a.glb", {"camera": []}, "camera has 0 entries"),
        ({}, "missing/a.glb", {}, "does not exist"),
        ({"faces": tuple(np.zeros((0, 3), np.int32) for _ in range(8))}, "a.glb", {}, "has a face"),
    ],
)
def test_one_sentence_and_no_file(tmp_path, meshes, rig, change, name, options, words):
    with pytest.raises(InputError, match=words):
        write_skinned_glb(replace(meshes, **change), rig, tmp_path / name, **options)
    assert list(tmp_path.iterdir()) == []


def test_another_sequence_is_refused(tmp_path, rig):
    with pytest.raises(InputError, match="fitted to"):
        write_skinned_glb(tube(5, 7, rings=24), rig, tmp_path / "a.glb")


def test_cancel_leaves_nothing(tmp_path, meshes, rig):
    def cancel() -> None:
        raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        write_skinned_glb(meshes, rig, tmp_path / "a.glb", check=cancel)
    assert list(tmp_path.iterdir()) == []
