"""``shapegen4d render`` from files to files."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import trimesh
from PIL import Image

from shapegen4d_core import cli
from shapegen4d_core.export import write_glb
from shapegen4d_core.rendering import framing_camera, overlay, render_sequence
from shapegen4d_core.sequence import Camera, Clip, MeshSequence


def run(*arguments) -> int:
    return cli.main([str(argument) for argument in ("render", *arguments, "--quiet")])


@pytest.fixture
def meshes() -> MeshSequence:
    """Three frames of a ball that rises."""
    ball = trimesh.creation.icosphere(2, radius=0.4)
    vertices = tuple(np.float32(ball.vertices) + np.float32([0, 0.2 * t, 0]) for t in range(3))
    return MeshSequence(vertices, (np.int32(ball.faces),) * 3, 6.0, "rise")


@pytest.fixture
def saved(meshes, tmp_path):
    meshes.save(tmp_path / "meshes.safetensors")
    return tmp_path / "meshes.safetensors"


def frames_of(path) -> np.ndarray:
    return np.stack([np.asarray(Image.open(file)) for file in sorted(path.iterdir())]) / 255


def test_pictures_are_those_of_the_library(meshes, saved, tmp_path, capsys):
    out = tmp_path / "frames"
    assert run(saved, "-o", out, "--size", "40x30", "--yaw", 20, "--background", "none", "--style", "normal") == 0
    expected = render_sequence(meshes, framing_camera(meshes, (30, 40), 20.0), style="normal")
    np.testing.assert_allclose(frames_of(out), expected.numpy(), atol=0.5 / 255 + 1e-6)
    assert "3 pictures of 40 x 30, 6 per second" in capsys.readouterr().out


def test_a_glb_a_turntable_and_a_coloured_background(meshes, tmp_path):
    write_glb(meshes, tmp_path / "meshes.glb")
    out = tmp_path / "turn.webp"
    arguments = ("--size", 32, "--turntable", 1, "--count", 5, "--fps", 10, "--background", "#00ff00")
    assert run(tmp_path / "meshes.glb", "-o", out, *arguments) == 0
    with Image.open(out) as image:
        assert image.n_frames == 5 and image.size == (32, 32)
        corner = np.asarray(image.convert("RGB"))[0, 0]
    assert corner[1] > 240 and corner[0] < 30


def test_over_a_clip_through_its_camera(meshes, saved, tmp_path):
    camera = Camera(10, 5, 3.5, (0, 0.2, 0), 40, 60, 40)
    clip = Clip(torch.rand(3, 24, 24, 4), 6.0, crop=(18.0, 8.0, 26.0), source_size=(40, 60))
    camera.save(tmp_path / "camera.safetensors")
    clip.save(tmp_path / "clip.safetensors")
    out = tmp_path / "over"
    given = ("--camera", tmp_path / "camera.safetensors", "--over", tmp_path / "clip.safetensors", "--opacity", 0.5)
    assert run(saved, "-o", out, *given) == 0
    expected = overlay(render_sequence(meshes, camera, clip=clip), clip.frames, 0.5)
    np.testing.assert_allclose(frames_of(out), expected.numpy(), atol=0.5 / 255 + 1e-6)


def test_over_a_whole_video(meshes, saved, tmp_path):
    camera = Camera(10, 5, 3.5, (0, 0.2, 0), 40, 60, 40)
    camera.save(tmp_path / "camera.safetensors")
    (tmp_path / "plate").mkdir()
    for number in range(6):
        Image.new("RGB", (60, 40), (40 * number, 90, 30)).save(tmp_path / "plate" / f"{number}.png")
    out = tmp_path / "over"
    assert run(saved, "-o", out, "--camera", tmp_path / "camera.safetensors", "--over", tmp_path / "plate") == 0
    frames = frames_of(out)
    assert frames.shape == (3, 40, 60, 3)
    np.testing.assert_allclose(frames[:, 0, 0, 0] * 255, [0, 80, 160], atol=0.6)
    assert np.abs(frames[:, 20, 30] - frames[:, 0, 0]).max() > 0.1


def test_refusals(meshes, saved, tmp_path, capsys):
    clip = Clip(torch.rand(2, 24, 24, 4), 6.0)
    clip.save(tmp_path / "clip.safetensors")
    Camera(0, 0, 3.5, (0, 0, 0), 40, 24, 24).save(tmp_path / "camera.safetensors")
    camera = ("--camera", tmp_path / "camera.safetensors")
    out = ("-o", tmp_path / "a.webp")
    for arguments, words in (
        ((saved, "-o", tmp_path / "a.avi"), "ends in .avi"),
        ((saved, *out, "--style", "textured"), "have no texture"),
        ((saved, *out, "--background", "blurple"), "The background is 'blurple'"),
        ((saved, *out, "--over", tmp_path / "clip.safetensors"), "give it with --camera"),
        ((saved, *out, *camera, "--over", tmp_path / "clip.safetensors"), "2 frames and the sequence 3"),
        ((saved, *out, *camera, "--over", tmp_path / "clip.safetensors", "--size", 9), "leave out --size"),
        ((saved, *out, "--count", 0), "at least 1"),
        ((tmp_path / "none.glb", *out), "none.glb"),
    ):
        assert run(*arguments) == 2
        assert words in capsys.readouterr().err
    assert not (tmp_path / "a.webp").exists()
