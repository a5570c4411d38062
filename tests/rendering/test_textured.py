"""Textured pictures show the texels they should, right side up."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from shapegen4d_core.errors import InputError
from shapegen4d_core.rendering import render_textured
from shapegen4d_core.rendering.textured import sample_texture, texture_on

QUAD = torch.tensor([[-1.0, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]])
FACES = torch.tensor([[0, 1, 2], [0, 2, 3]])
UV = torch.tensor([[0.0, 0], [1, 0], [1, 1], [0, 1]])
TURN = torch.diag(torch.tensor([1.0, -1, -1]))  # y up, looking down -z


def draw(texture, size=16, uv=UV, shift=(0.0, 0.0, 2.0), supersampling=2):
    """The quad from the front; at distance 2 it fills the picture."""
    intrinsics = torch.tensor([[size, 0, size / 2], [0, size, size / 2], [0, 0, 1.0]])
    return render_textured(
        QUAD, FACES, uv, texture, intrinsics, TURN, torch.tensor(shift), (size, size), supersampling
    )


def test_a_picture_of_the_texture_is_the_texture():
    texture = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    picture = draw(texture, supersampling=1)
    torch.testing.assert_close(picture[..., :3], torch.from_numpy(texture).float() / 255, atol=2e-4, rtol=0)
    assert bool((picture[..., 3] == 1).all())


def test_perspective_is_right_across_a_tilted_quad():
    texture = torch.linspace(0, 1, 256)[None, :, None].expand(4, 256, 3)  # brightness = u
    turn = torch.tensor([[0.5, 0, 0.75**0.5], [0, -1, 0], [0.75**0.5, 0, -0.5]])
    intrinsics = torch.tensor([[64.0, 0, 32], [0, 64, 32], [0, 0, 1]])
    picture = render_textured(QUAD, FACES, UV, texture, intrinsics, turn, torch.tensor([0.0, 0, 4]), (64, 64), 1)
    points = QUAD @ turn.T + torch.tensor([0.0, 0, 4])
    columns = torch.arange(64)[picture[32, :, 3] > 0]
    slope = (columns + 0.5 - 32) / 64  # x / z along the middle row; x = 0.5 s, z = 4 + 0.866 s
    s = 4 * slope / (0.5 - 0.75**0.5 * slope)
    assert len(columns) > 10 and bool((points[:, 2] > 0).all())
    inner = (s.abs() < 0.98).nonzero()[:, 0]
    torch.testing.assert_close(picture[32, columns[inner], 0], (s[inner] + 1) / 2, atol=5e-3, rtol=0)


def test_the_border_is_soft_and_keeps_its_colour():
    picture = draw(np.full((4, 4, 3), 51, np.uint8), shift=(0.05, 0.03, 4.2))
    edge = (picture[..., 3] > 0) & (picture[..., 3] < 1)
    assert bool(edge.any())
    torch.testing.assert_close(picture[edge][:, :3], torch.full((int(edge.sum()), 3), 0.2))
    assert bool((picture[picture[..., 3] == 0] == 0).all())


def test_alpha_of_the_texture_thins_the_picture():
    texture = np.zeros((2, 2, 4), np.uint8)
    texture[..., 0], texture[0, :, 3], texture[1, :, 3] = 255, 255, 0
    picture = draw(texture, supersampling=1)
    assert float(picture[1, 8, 3]) == 1 and float(picture[14, 8, 3]) == 0
    torch.testing.assert_close(picture[7, 8, :3], torch.tensor([1.0, 0, 0]))


def test_uv_outside_the_unit_square_repeat_the_texture():
    texture = torch.rand(8, 8, 3)
    place = torch.rand(50, 2)
    outside = torch.cat([place + torch.tensor([2.0, -3.0])])
    inner = ((place > 0.1) & (place < 0.9)).all(dim=1)
    torch.testing.assert_close(
        sample_texture(texture, outside)[inner], sample_texture(texture, place)[inner], atol=1e-4, rtol=0
    )


def test_refusals():
    with pytest.raises(InputError, match=r"uv has shape \[3, 2\], accepted is \[4,2\]"):
        draw(np.zeros((2, 2, 3), np.uint8), uv=UV[:3])
    with pytest.raises(InputError, match="supersampling is 0"):
        draw(np.zeros((2, 2, 3), np.uint8), supersampling=0)
    for texture, words in ((np.zeros((2, 2), np.uint8), "texture has shape"), (np.zeros((2, 2, 3), int), "int64")):
        with pytest.raises(InputError, match=words):
            texture_on(texture, "cpu")
