import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import trimesh
from PIL import Image

import shapegen4d_core
from shapegen4d_core import cli, models
from shapegen4d_core.cli import generate
from shapegen4d_core.errors import InputError
from shapegen4d_core.example_clips import example_names, example_path
from shapegen4d_core.pipeline import encode_clip, sample_latents, sampler_settings
from shapegen4d_core.sequence import Clip, ImageTokens, LatentSequence
from shapegen4d_core.video import load_clip

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def model_folder(tmp_path_factory):
    """The tiny model with random weights: its surface is noise, but there is one."""
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("model")
    models.save(models.build("tiny"), folder)
    return folder


@pytest.fixture
def video(tmp_path):
    rows, columns = np.mgrid[:48, :48]
    frames = []
    for t in range(6):
        alpha = ((rows - 24) ** 2 + (columns - 20 - t) ** 2 < 150) * 255
        frames.append(Image.fromarray(np.stack([alpha, alpha // 2, 255 - alpha, alpha], -1).astype(np.uint8)))
    frames[0].save(tmp_path / "ball.webp", save_all=True, append_images=frames[1:], duration=125, lossless=True)
    return tmp_path / "ball.webp"


def run(*arguments) -> int:
    return cli.main([str(argument) for argument in arguments])


def test_generate_writes_an_animated_glb_a_sheet_and_the_latents(model_folder, video, tmp_path, capsys):
    latents, sheet, glb = tmp_path / "l.safetensors", tmp_path / "sheet.png", tmp_path / "out.glb"
    code = run(
        "generate",
        video,
        "-o",
        glb,
        "--model",
        model_folder,
        "--frames",
        3,
        "--steps",
        2,
        "--resolution",
        16,
        "--seed",
        5,
        "--noise",
        "independent",
        "--save-latents",
        latents,
        "--sheet",
        sheet,
        "--quiet",
    )
    assert code == 0 and "3 frames at 4 fps" in capsys.readouterr().out
    assert len(trimesh.load(glb, force="scene").geometry) == 3
    assert Image.open(sheet).size[0] > 3 * 100
    saved = LatentSequence.load(latents)
    assert saved.latents.shape[0] == 3 and saved.settings["seed"] == 5 and saved.settings["noise"] == "independent"


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("-o", "out.obj"), "one OBJ holds one frame"),
        (("-o", "out.glb", "--model", "nowhere"), "nowhere"),
        (("-o", "out.glb", "--steps", "0"), "steps"),
        (("-o", "out.glb", "--resolution", "4"), "resolution"),
        (("-o", "out.glb", "--frames", "99"), "99"),
    ],
)
def test_refusals_are_one_sentence_and_leave_nothing(
    arguments, named, model_folder, video, tmp_path, capsys, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    if "--model" not in arguments:
        arguments += ("--model", model_folder)
    before = set(tmp_path.iterdir())
    assert run("generate", video, *arguments, "--quiet") == cli.REFUSED
    message = capsys.readouterr().err
    assert named in message and message.startswith("shapegen4d: ") and len(message.strip().splitlines()) == 1
    assert set(tmp_path.iterdir()) == before


def test_ctrl_c_leaves_nothing_half_written(model_folder, video, tmp_path, capsys, monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("shapegen4d_core.export.glb.write_container", interrupt)
    code = run(
        "generate",
        video,
        "-o",
        tmp_path / "out.glb",
        "--model",
        model_folder,
        "--frames",
        2,
        "--steps",
        1,
        "--resolution",
        12,
        "--quiet",
    )
    assert code == cli.CANCELLED and "cancelled" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["ball.webp"]


def test_info_reads_headers_only(model_folder, capsys):
    assert run("info", model_folder) == 0
    said = capsys.readouterr().out
    assert "denoiser: 2,533,640 parameters" in said and "frame: view" in said


def test_the_module_runs_as_a_program():
    done = subprocess.run(
        [sys.executable, "-m", "shapegen4d_core", "--version"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0 and done.stdout.strip() == "0.1.0"


def test_training_without_numba_says_what_to_install(monkeypatch, capsys, tmp_path):
    monkeypatch.setitem(sys.modules, "numba", None)
    for name in [key for key in sys.modules if key.startswith(("shapegen4d_core.training", "shapegen4d_core.data"))]:
        monkeypatch.delitem(sys.modules, name)
    for name in ("training", "data"):  # importing them anew replaces these as well
        if hasattr(shapegen4d_core, name):
            monkeypatch.setattr(shapegen4d_core, name, getattr(shapegen4d_core, name))
    assert run("curate", "-o", tmp_path) == cli.REFUSED
    assert "pip install numba" in capsys.readouterr().err


def test_tokens_of_another_model_and_missing_parts_are_refused(model_folder):
    model = models.load(model_folder, parts=("denoiser",))
    tokens = ImageTokens(torch.zeros(2, 37, 128), 8.0, "clip", "another")
    with pytest.raises(InputError, match="another"):
        sample_latents(model, tokens, sampler_settings(model))
    with pytest.raises(InputError, match="image_encoder"):
        encode_clip(model, Clip(torch.rand(2, 84, 84, 4), 8.0))


def test_settings_come_from_the_model_unless_given(model_folder):
    model = models.load(model_folder, parts=("denoiser",))
    settings = sampler_settings(model, steps=5, guidance=None)
    assert settings.steps == 5 and settings.guidance == model.config.guidance


def test_the_example_clip_is_there_and_has_alpha():
    clip = load_clip(example_path(generate.EXAMPLE), size=64)
    assert clip.frames.shape[0] == 24 and clip.fps == pytest.approx(24, abs=0.05) and clip.frames[..., 3].min() == 0


def test_another_example_clip_is_one_sentence():
    assert generate.EXAMPLE in example_names()
    with pytest.raises(InputError, match=r"no example clip '\.\./tiny'; choose one of .*creature"):
        example_path("../tiny")
