"""Files of the verbs: what cannot be read or written is refused before anything is computed."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch

from shapegen4d_core import cli
from shapegen4d_core.cli.files import read_sequence, write_sequence
from shapegen4d_core.sequence import Camera, Clip, MeshSequence

TETRAHEDRON = np.float32([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]])
FACES = np.int32([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]])


def run(*arguments) -> int:
    return cli.main([str(argument) for argument in arguments])


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Saved values of two frames; the stages that compute fail when they are reached."""
    MeshSequence((TETRAHEDRON, TETRAHEDRON * 0.5), (FACES, FACES), 8.0).save(tmp_path / "meshes.safetensors")
    Clip(torch.zeros(2, 8, 8, 4), 8.0).save(tmp_path / "clip.safetensors")
    Camera(0, 0, 3, (0, 0, 0), 40, 8, 8).save(tmp_path / "camera.safetensors")

    def reached(*_, **__):
        raise AssertionError("computed before the outputs were checked")

    for stage in (
        "shapegen4d_core.models.load",
        "shapegen4d_core.registration.pose.register_pose",
        "shapegen4d_core.registration.tracking.track_topology",
        "shapegen4d_core.texturing.texture_from_video",
        "shapegen4d_core.rendering.render_sequence",
    ):
        monkeypatch.setattr(stage, reached)
    return tmp_path


VERBS = {
    "generate": ("generate", "clip.webp", "-o", "a.glb"),
    "register": ("register", "meshes.safetensors", "clip.safetensors", "-o", "a.glb"),
    "track": ("track", "meshes.safetensors", "-o", "a.glb"),
    "texture": (
        "texture", "meshes.safetensors", "-o", "a.glb", "--clip", "clip.safetensors", "--camera", "camera.safetensors",
    ),
    "render": ("render", "meshes.safetensors", "-o", "a.webp"),
}  # fmt: skip
NO_FOLDER = "the folder missing does not exist"
NO_FILE = "it is a folder"
REFUSED = [
    *((verb, ("-o", f"missing/a{'.mp4' if verb == 'render' else '.glb'}"), NO_FOLDER) for verb in VERBS),
    *((verb, ("-o", "a.obj"), "a.obj") for verb in VERBS),
    *((verb, ("-o", "folder.glb"), NO_FILE) for verb in VERBS if verb != "render"),
    ("generate", ("--save-meshes", "missing/m.safetensors"), NO_FOLDER),
    ("generate", ("--save-clip", "clip.npz"), "--save-clip is clip.npz; give a name that ends in .safetensors"),
    ("generate", ("--sheet", "missing/s.png"), NO_FOLDER),
    ("register", ("--camera", "missing/c.safetensors"), NO_FOLDER),
    ("register", ("--overlay", "missing/over"), NO_FOLDER),
    ("register", ("-o", "b.safetensors", "--camera", "b.safetensors"), "--output and --camera are both"),
    ("track", ("--report", "missing/r.json"), NO_FOLDER),
    ("texture", ("--confidence", "missing/c.png"), NO_FOLDER),
    ("texture", ("--texture", "t.jpg"), "--texture is t.jpg; give a name that ends in .png"),
    ("render", ("-o", "missing/frames"), NO_FOLDER),
    ("render", ("--fps", "0"), "fps is 0"),
    ("render", ("--size", "0"), "0 x 0"),
    ("render", ("--columns", "0"), "columns is 0"),
    ("render", ("--opacity", "2"), "--opacity is 2"),
    ("render", ("-o", "a.mp4", "--background", "none"), "MP4 cannot hold"),
    *((verb, ("--device", "nonsense"), "--device is 'nonsense'") for verb in ("generate", "register", "render")),
]


@pytest.mark.parametrize(("verb", "options", "words"), REFUSED)
def test_what_cannot_be_written_is_refused_in_one_line_before_work(verb, options, words, folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    (folder / "folder.glb").mkdir()
    before = sorted(folder.rglob("*"))
    assert run(*VERBS[verb], "--quiet", *options) == 2
    message = capsys.readouterr().err
    assert words in message and message.count("\n") == 1
    assert sorted(folder.rglob("*")) == before


def test_a_glb_of_one_topology_moves_smoothly_and_comes_back(folder):
    meshes = read_sequence(folder / "meshes.safetensors")
    write_sequence(meshes, folder / "b.glb", unlit=True)  # without a texture there is nothing to be unlit
    assert b'"LINEAR"' in (folder / "b.glb").read_bytes()
    again = read_sequence(folder / "b.glb")
    assert again.frame_count == 2
    np.testing.assert_allclose(again.vertices[1], meshes.vertices[1], atol=1e-6)


def test_meshes_of_changing_topology_are_held_from_frame_to_frame(folder):
    write_sequence(MeshSequence((TETRAHEDRON, TETRAHEDRON), (FACES, FACES[:3]), 8.0), folder / "c.glb")
    content = (folder / "c.glb").read_bytes()
    assert b'"STEP"' in content and b'"LINEAR"' not in content


def test_the_command_line_answers_without_heavy_modules():
    code = "import sys; from shapegen4d_core import cli; cli.parser(); print({'torch', 'scipy'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"


def test_track_offers_what_its_settings_accept():
    from shapegen4d_core.cli import track
    from shapegen4d_core.registration.tracking import settings

    assert (track.ON_CHANGE, track.SOLVERS) == (settings.ON_CHANGE, settings.SOLVERS)


@pytest.mark.parametrize("verb", ["generate", "register", "track", "texture", "render"])
def test_ctrl_c_while_a_verb_works_ends_with_130_and_leaves_nothing(verb, folder, monkeypatch, capsys):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    if verb == "generate":
        monkeypatch.setattr("shapegen4d_core.models.load", interrupted)
    else:
        monkeypatch.setattr("shapegen4d_core.sequence.MeshSequence.load", interrupted)
    monkeypatch.chdir(folder)
    before = sorted(folder.rglob("*"))
    assert run(*VERBS[verb], "--quiet") == 130
    assert capsys.readouterr().err.count("\n") == 1 and sorted(folder.rglob("*")) == before
