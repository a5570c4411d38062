"""One call writes every format, one call reads every format; names decide, and what cannot be is one sentence."""

from __future__ import annotations

import json

import numpy as np
import pytest

from shapegen4d_core.errors import Cancelled, InputError
from shapegen4d_core.export import FORMATS, SUFFIXES, check_destination, format_of, write_sequence
from shapegen4d_core.importing import read_sequence
from shapegen4d_core.rigging import RigSettings
from tests.export.shapes import changing, waving

NAME = "Pand\u00e4 \u718a"
ANY = ["a.glb", "a.usdz", "a.usdc", "a.usda", "a.safetensors", "obj", "ply", "glb"]
FIXED = [*ANY, "a.pc2", "a.mdd"]
ROUNDING = {"a.glb": 2e-6, "glb": 0}  # morph targets are differences to frame 1


def written(sequence, folder, target, **options):
    if "." not in target:
        options["kind"] = target
    return write_sequence(sequence, folder / target, **options)


def assert_same(before, after, tolerance=0.0):
    assert after.frame_count == before.frame_count
    assert after.fps == pytest.approx(before.fps, rel=1e-6)
    for old, new, old_faces, new_faces in zip(before.vertices, after.vertices, before.faces, after.faces):
        np.testing.assert_allclose(new, old, rtol=0, atol=tolerance)
        np.testing.assert_array_equal(new_faces, old_faces)


def textured():
    plain = waving(5, 12.5)
    uv = (plain.vertices[0][:, :2] * 0.4 + 0.5).astype(np.float32)
    texture = np.random.default_rng(3).integers(0, 255, (8, 16, 3)).astype(np.uint8)
    return waving(5, 12.5, name=NAME, uv=uv, texture=texture, settings={"seed": 3})


@pytest.mark.parametrize("target", FIXED)
def test_fixed_topology_with_texture_comes_back(tmp_path, target):
    sequence = textured()
    after = read_sequence(written(sequence, tmp_path, target))
    assert_same(sequence, after, ROUNDING.get(target, 0.0))
    np.testing.assert_allclose(after.uv, sequence.uv, atol=1e-6)
    np.testing.assert_array_equal(after.texture, sequence.texture)


@pytest.mark.parametrize("target", ANY)
def test_changing_topology_with_an_empty_frame_comes_back(tmp_path, target):
    sequence = changing(name=NAME, settings={"seed": 4})
    assert_same(sequence, read_sequence(written(sequence, tmp_path, target)))


@pytest.mark.parametrize("target", ANY)
def test_name_and_settings_come_back(tmp_path, target):
    after = read_sequence(written(changing(name=NAME, settings={"seed": 4}), tmp_path, target))
    assert after.name == NAME and after.settings["seed"] == 4


def test_bones_come_back_as_motion(tmp_path):
    sequence = textured()
    path = write_sequence(sequence, tmp_path / "a.glb", rig=RigSettings(joints=8))
    after = read_sequence(path)
    assert after.frame_count == 5 and np.array_equal(after.texture, sequence.texture)
    error = max(np.abs(new - old).max() for new, old in zip(after.vertices, sequence.vertices))
    assert error < 0.1  # of 2: a soft stretch, followed by eight bones


def test_another_rate_can_be_asked_for(tmp_path):
    sequence = textured()
    for target in ("a.usdc", "obj", "a.pc2", "a.safetensors"):
        again = read_sequence(written(sequence, tmp_path, target), fps=30.0)
        assert again.fps == 30.0
        assert_same(sequence, read_sequence(tmp_path / target), 0)
    glb = read_sequence(written(sequence, tmp_path, "a.glb"), fps=25.0)
    assert glb.fps == 25.0 and glb.frame_count == 10  # looked at twice as often


def test_glb_moves_smoothly_where_it_can(tmp_path):
    for sequence, expected in ((waving(4), "LINEAR"), (changing(4), "STEP")):
        content = write_sequence(sequence, tmp_path / "a.glb").read_bytes()
        document = json.loads(content[20 : 20 + int.from_bytes(content[12:16], "little")])
        assert {sampler["interpolation"] for sampler in document["animations"][0]["samplers"]} == {expected}


def test_light_and_provenance_are_left_out_where_there_is_no_place_for_them(tmp_path):
    for target in FIXED:
        path = written(waving(3), tmp_path, target, unlit=True, extras={"host": "{}"})
        assert read_sequence(path).frame_count == 3


def test_every_format_has_a_writer_and_a_name_of_its_own():
    assert len({entry.name for entry in FORMATS}) == len(FORMATS)
    for entry in FORMATS:
        assert callable(entry.load())
        for suffix in entry.suffixes:
            assert format_of(f"a{suffix.upper()}", rig=entry.name == "rig") is entry
    assert format_of("folder").name == format_of("shot.v2_00001_").name == "folder"


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("a.fbx", {}, "FBX has no open writer"),
        ("a.abc", {}, "Alembic can only be written by a 3D program"),
        ("a.obj", {}, "one OBJ holds one frame"),
        ("a.xyz", {}, "accepted are .glb"),
        ("a.usdc", {"quantize": True}, "quantize is a setting of .glb, not of"),
        ("a.glb", {"up_axis": "Z"}, "up_axis is a setting of .usdz, .usdc, .usda, not of"),
        ("a.pc2", {"kind": "obj"}, "kind is a setting of folder, not of"),
        ("a.glb", {"colour": "red"}, "colour is a setting of no format"),
        ("a.glb", {"loop": "cycle", "rig": RigSettings(joints=4)}, "of .glb, not of .*a.glb with a rig; leave it out"),
        ("a.usdc", {"rig": RigSettings(joints=4)}, "A rig is written to .glb files"),
    ],
)
def test_refusals_name_what_was_given_and_what_to_do(tmp_path, name, options, message):
    with pytest.raises(InputError, match=message):
        write_sequence(waving(3), tmp_path / name, **options)
    assert not list(tmp_path.iterdir())


def test_destinations_are_checked_before_work(tmp_path, monkeypatch):
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "diary.txt").write_text("mine")
    (tmp_path / "b.glb").mkdir()
    for name, message in (("taken", "diary.txt"), ("b.glb", "is a folder"), ("no/c.usdc", "does not exist")):
        with pytest.raises(InputError, match=message):
            check_destination(tmp_path / name)
    for suffix in SUFFIXES:
        check_destination(tmp_path / f"a{suffix}")
    monkeypatch.setattr("shapegen4d_core.export.formats.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"pip install usd-core"):
        check_destination(tmp_path / "a.usdz")


def test_reading_what_is_no_sequence_is_one_sentence(tmp_path):
    (tmp_path / "a.txt").write_text("nothing")
    for name, message in (("a.txt", "accepted are .glb"), ("missing.usdc", "missing.usdc"), ("none.glb", "none.glb")):
        with pytest.raises(InputError, match=message):
            read_sequence(tmp_path / name)


def test_a_saved_sequence_can_be_cancelled_between_frames(tmp_path):
    asked = []

    def check() -> None:
        asked.append(None)
        if len(asked) == 4:
            raise Cancelled

    with pytest.raises(Cancelled):
        write_sequence(changing(), tmp_path / "a.safetensors", check=check)
    assert not list(tmp_path.iterdir())
