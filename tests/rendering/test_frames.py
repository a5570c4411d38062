"""Pictures of whole sequences: several cameras, the window of a clip, textures, seams, turntables."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import trimesh

from shapegen4d_core.errors import InputError
from shapegen4d_core.rendering import clip_camera, opencv_camera, render_sequence, render_textured, turntable
from shapegen4d_core.sequence import Camera, Clip, MeshSequence

CAMERA = Camera(25, 15, 4.0, (0, 0, 0), 35, 40, 40)


def textured(count: int = 2) -> MeshSequence:
    """A ball that grows, its vertices doubled along one cut, with a texture of stripes."""
    ball = trimesh.creation.icosphere(3, radius=0.5)
    vertices, faces = np.float32(ball.vertices), np.int32(ball.faces)
    left = vertices[faces].mean(axis=1)[:, 0] < 0
    faces = np.where(left[:, None], faces, faces + len(vertices)).astype(np.int32)
    vertices = np.concatenate([vertices, vertices])
    uv = (vertices[:, :2] + 0.5).clip(0, 1)
    texture = np.zeros((8, 8, 3), np.uint8)
    texture[:, ::2] = (255, 40, 0)
    frames = tuple(vertices * (1 + np.float32(0.3) * number) for number in range(count))
    return MeshSequence(frames, (faces,) * count, 8.0, uv=uv, texture=texture)


def test_a_camera_for_every_picture_and_frames_start_again():
    cameras = turntable(CAMERA, 3)
    assert [camera.yaw_degrees for camera in cameras] == [25, 145, 265]
    pictures = render_sequence(textured(), cameras, size=24)
    for number, camera in enumerate(cameras):
        alone = render_sequence(textured(), camera, size=24)
        assert torch.equal(pictures[number], alone[number % 2])
    assert [camera.yaw_degrees for camera in turntable(CAMERA, 2, turns=-0.5)] == [25, -65]
    with pytest.raises(InputError, match="at least 1"):
        turntable(CAMERA, 0)


def test_a_clip_gives_its_window_of_the_plate():
    clip = Clip(torch.zeros(2, 20, 20, 4), 8.0, crop=(10.0, 4.0, 15.0), source_size=(40, 40))
    window = render_sequence(textured(), CAMERA, clip=clip, style="silhouette")[..., 3]
    assert window.shape == (2, 20, 20)
    sequence = textured()
    given = (sequence.vertices[1], sequence.faces[1], sequence.uv)
    drawn = render_textured(*map(torch.from_numpy, given), sequence.texture, *clip_camera(CAMERA, clip), (20, 20))
    assert 0 < float(drawn[..., 3].mean()) < 1
    assert torch.equal(window[1], drawn[..., 3])
    with pytest.raises(InputError, match="Both a clip and a size"):
        render_sequence(textured(), CAMERA, size=20, clip=clip)


def test_textured_is_unlit_and_lit_is_darker_away_from_the_light():
    sequence = textured()
    given = (sequence.vertices[0], sequence.faces[0], sequence.uv)
    expected = render_textured(*map(torch.from_numpy, given), sequence.texture, *opencv_camera(CAMERA), (40, 40))
    plain, lit = (render_sequence(sequence, CAMERA, style=style)[0] for style in ("textured", "lit"))
    assert torch.equal(plain, expected) and torch.equal(plain[..., 3], lit[..., 3])
    red = (plain[..., 0] > 0.9) & (plain[..., 3] == 1)
    upper, lower = (float(lit[half][red[half]][:, 0].mean()) for half in (slice(0, 20), slice(20, 40)))
    assert upper > lower + 0.15
    assert float(lit[red][:, 0].max()) <= 1 and float(lit[red][:, 2].max()) == 0


def test_seams_of_a_texture_are_not_seen_in_the_shading():
    sequence = textured()
    half = len(sequence.vertices[0]) // 2
    whole = MeshSequence((sequence.vertices[0][:half],), (sequence.faces[0] % half,), 8.0)
    for style in ("shaded", "normal"):
        cut, plain = render_sequence(sequence, CAMERA, style=style)[0], render_sequence(whole, CAMERA, style=style)[0]
        torch.testing.assert_close(cut, plain, atol=1e-5, rtol=0)


def test_a_silhouette_is_white():
    picture = render_sequence(textured(), CAMERA, style="silhouette")[0]
    assert bool((picture[picture[..., 3] > 0][:, :3] == 1).all()) and float(picture[..., 3].max()) == 1


def test_refusals():
    plain = MeshSequence(textured().vertices, textured().faces, 8.0)
    with pytest.raises(InputError, match="'textured', but these meshes have no texture"):
        render_sequence(plain, CAMERA, style="textured")
    with pytest.raises(InputError, match="No camera"):
        render_sequence(plain, [])
    with pytest.raises(InputError, match="0 x 0"):
        render_sequence(plain, CAMERA, size=0)
