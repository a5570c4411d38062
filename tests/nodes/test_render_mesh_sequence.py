"""Render Mesh Sequence: previews, turntables, pictures over a clip and over whole frames, in inference mode."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import trimesh


@pytest.fixture(scope="module")
def meshes(core):
    """Three frames of a ball that rises, with a texture that is red below and blue above."""
    ball = trimesh.creation.icosphere(2, radius=0.4)
    vertices, faces = np.float32(ball.vertices), np.int32(ball.faces)
    moved = tuple(vertices + np.float32([0, 0.2 * t, 0]) for t in range(3))
    uv = np.float32(vertices[:, :2] + 0.5).clip(0, 1)
    texture = np.zeros((4, 4, 3), np.uint8)
    texture[:2, :, 2], texture[2:, :, 0] = 255, 255
    return core("sequence").MeshSequence(moved, (faces,) * 3, 6.0, uv=uv, texture=texture)


@pytest.fixture(scope="module")
def camera(core):
    return core("sequence").Camera(10, 5, 3.5, (0, 0.2, 0), 40, 60, 40)


def test_a_preview_shows_all_frames_with_their_texture(run, core, meshes):
    images, masks, fps = run("RenderMeshSequence", meshes=meshes, width=48, height=40, background="#00ff00").result
    assert fps == meshes.fps
    assert images.shape == (3, 40, 48, 3) and masks.shape == (3, 40, 48) and images.device.type == "cpu"
    assert torch.equal(images[:, 0, 0], torch.tensor([0.0, 1, 0]).expand(3, 3))
    rendering = core("rendering")
    expected = rendering.render_sequence(meshes, rendering.framing_camera(meshes, (40, 48)), style="lit")
    torch.testing.assert_close(masks, expected[..., 3])
    rows = (masks * torch.arange(40)[:, None]).sum((1, 2)) / masks.sum((1, 2))
    assert rows[0] > rows[1] > rows[2]
    whole = masks[0] == 1
    torch.testing.assert_close(images[0][whole], expected[0][whole][:, :3])


@pytest.mark.parametrize("style", ["shaded", "normal", "silhouette", "textured", "lit"])
def test_every_style_draws_the_same_outline(run, meshes, style):
    images, masks, _ = run("RenderMeshSequence", meshes=meshes, width=32, height=32, style=style).result
    reference = run("RenderMeshSequence", meshes=meshes, width=32, height=32).result[1]
    assert torch.equal(masks, reference) and 0 <= float(images.min()) and float(images.max()) <= 1
    inside = images[masks == 1]
    assert {"silhouette": bool((inside == 1).all()), "textured": bool((inside[:, 1] < 0.01).all())}.get(style, True)
    assert (float(inside.std()) > 0.02) == (style != "silhouette")


def test_a_turntable_may_have_more_pictures_than_there_are_frames(run, meshes, core):
    shape = core("sequence").MeshSequence(
        tuple(frame * np.float32([2, 1, 0.5]) for frame in meshes.vertices), meshes.faces, 6.0
    )
    given = {"meshes": shape, "width": 32, "height": 32, "pitch": 0.0}
    _, masks, _ = run("RenderMeshSequence", **given, turntable=1.0, count=8).result
    widths = (masks > 0.5).any(dim=1).sum(dim=1)
    assert masks.shape == (8, 32, 32) and int(widths[0]) > 1.5 * int(widths[2])
    assert abs(int(widths[0]) - int(widths[4])) <= 1


def test_over_a_clip_and_over_whole_frames(run, core, meshes, camera):
    sequence, rendering = core("sequence"), core("rendering")
    clip = sequence.Clip(torch.rand(3, 24, 24, 4), 6.0, crop=(18.0, 8.0, 26.0), source_size=(40, 60))
    images, masks, _ = run("RenderMeshSequence", meshes=meshes, camera=camera, over=clip, opacity=0.5).result
    pictures = rendering.render_sequence(meshes, camera, style="lit", clip=clip)
    torch.testing.assert_close(images, rendering.overlay(pictures, clip.frames, 0.5))
    torch.testing.assert_close(masks, pictures[..., 3])
    plate = torch.rand(3, 40, 60, 3)
    whole, *_ = run("RenderMeshSequence", meshes=meshes, camera=camera, over=plate).result
    assert whole.shape == (3, 40, 60, 3) and torch.equal(whole[:, 0, 0], plate[:, 0, 0])
    still, *_ = run("RenderMeshSequence", meshes=meshes, camera=camera, over=plate[:1]).result
    assert torch.equal(still[2, 0, 0], plate[0, 0, 0]) and not torch.equal(still[2], still[0])


def test_refusals(run, core, meshes, camera):
    plate = torch.rand(3, 40, 60, 3)
    for given, words in (
        ({"over": plate}, "need a camera"),
        ({"over": plate, "camera": camera, "turntable": 1.0}, "need a camera, and turntable and count left at 0"),
        ({"over": plate[:2], "camera": camera}, "over has 2 frames and the meshes 3"),
        ({"over": plate[:, :, :40], "camera": camera}, "give a camera of that shape"),
        ({"background": "blurple"}, "The background is 'blurple'"),
    ):
        with pytest.raises(ValueError, match=words):
            run("RenderMeshSequence", meshes=meshes, **given)


def test_stopping(run, meshes):
    import comfy.model_management as manager

    manager.STOP_AFTER[:] = [1]
    with pytest.raises(manager.InterruptProcessingException):
        run("RenderMeshSequence", meshes=meshes, width=32, height=32, count=10)
