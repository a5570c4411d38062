"""``generate --texture``: the whole river on the bundled clip, small; its files fit together."""

import json
import struct

import numpy as np
import pytest

from shapegen4d_core.cli import main
from shapegen4d_core.example_clips import example_path
from shapegen4d_core.importing import read_sequence
from shapegen4d_core.registration.quality import read_quality
from shapegen4d_core.sequence import Camera, Clip, MeshSequence

CLIP = str(example_path("creature"))
SMALL = ["--frames", "3", "--steps", "4", "--resolution", "40", "--track-faces", "600", "--texture-size", "256"]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("river")
    names = {"clip": "clip.safetensors", "camera": "camera.safetensors", "meshes": "meshes.safetensors"}
    saved = [word for key, name in names.items() for word in (f"--save-{key}", str(folder / name))]
    target, sheet = folder / "out.glb", folder / "sheet.png"
    arguments = ["generate", CLIP, "-o", str(target), "--texture", "--size", "128", "--sheet", str(sheet), "--quiet"]
    assert main([*arguments, *SMALL, *saved]) == 0
    return folder


def test_the_glb_is_one_textured_animation_shown_without_light(made):
    content = (made / "out.glb").read_bytes()
    length = struct.unpack("<I", content[12:16])[0]
    document = json.loads(content[20 : 20 + length])
    assert len(document["meshes"]) == 1 and len(document["meshes"][0]["primitives"][0]["targets"]) == 2
    assert document["animations"][0]["samplers"][0]["interpolation"] == "LINEAR"
    assert document["materials"][0]["extensions"] == {"KHR_materials_unlit": {}}


def test_the_glb_carries_the_camera_that_was_found_and_what_made_it(made):
    content = (made / "out.glb").read_bytes()
    document = json.loads(content[20 : 20 + struct.unpack("<I", content[12:16])[0]])
    camera = Camera.load(made / "camera.safetensors")
    assert document["cameras"][0]["perspective"]["yfov"] == pytest.approx(np.radians(camera.fov_degrees))
    settings = document["asset"]["extras"]["shapegen4d"]["settings"]
    assert settings["model"] == "tiny" and settings["seed"] == 0 and "decoding" in settings and "tracking" in settings
    assert all(len(digest) == 64 for digest in settings["weights"].values()) and len(settings["weights"]) >= 4


def test_saved_meshes_lie_on_the_saved_clip_through_the_saved_camera(made):
    meshes, clip = MeshSequence.load(made / "meshes.safetensors"), Clip.load(made / "clip.safetensors")
    assert meshes.fixed_topology and meshes.texture.shape[:2] == (256, 256) and len(meshes.faces[0]) <= 600
    read = read_quality(meshes, clip, Camera.load(made / "camera.safetensors"))
    assert np.mean(read.silhouette_iou) > 0.6 and clip.frames.shape[1:3] == (128, 128)


def test_a_point_cache_comes_straight_from_a_video(tmp_path):
    target = tmp_path / "out.mdd"
    assert main(["generate", CLIP, "-o", str(target), "--track", "--quiet", *SMALL]) == 0
    assert read_sequence(target).frame_count == 3 and target.with_suffix(".obj").is_file()


def test_the_sheet_is_written(made):
    assert (made / "sheet.png").stat().st_size > 10_000


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--save-camera", "c.safetensors"], "--pose"),
        (["--texture", "--fov", "0.5"], "fov_degrees is 0.5"),
        (["--texture", "--texture-size", "100"], "size is 100"),
        (["--track", "--track-faces", "3"], "faces is 3"),
        (["--texture", "--frames", "1"], "--frames 2 or more"),
        (["-o", "out.pc2"], "add --track"),
    ],
)
def test_bad_settings_are_refused_before_anything_is_computed(options, said, tmp_path, capsys):
    target = tmp_path / "out.glb"
    assert main(["generate", CLIP, "-o", str(target), *options]) == 2
    assert said in capsys.readouterr().err and not target.exists()
