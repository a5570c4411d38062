"""One square for a clip: size, place and colours of what is cut out."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from shapegen4d_core.video import clip_from_frames
from shapegen4d_core.video.crop import Box, Square, cut, object_box, square_around, union


def disc(height, width, x, y, radius):
    """Alpha of an antialiased disc whose centre is at (x, y) in pixel edges."""
    rows, columns = np.mgrid[:height, :width] + 0.5
    return np.clip(radius + 0.5 - np.hypot(columns - x, rows - y), 0, 1).astype(np.float32)


def clip_of(alphas, size=64, **options):
    colour = np.broadcast_to(np.float32([0.8, 0.3, 0.1]), (*alphas.shape, 3))
    images = torch.from_numpy(np.concatenate([colour, alphas[..., None]], axis=-1))
    return clip_from_frames(images, 10.0, size=size, **options)


def test_box_is_in_pixel_edges():
    alpha = np.zeros((20, 30), np.float32)
    alpha[4:9, 10:22] = 1
    assert object_box(alpha) == Box(10, 4, 22, 9)
    assert object_box(np.zeros((5, 5), np.float32)) is None
    assert union([Box(3, 4, 5, 6), Box(1, 5, 9, 5)]) == Box(1, 4, 9, 6)


def test_faint_alpha_and_stray_specks_do_not_widen_the_box():
    alpha = np.full((200, 200), 0.04, np.float32)
    alpha[50:150, 60:140] = 1
    alpha[2, 2] = 1  # a hot pixel
    alpha[190:192, 190:193] = 1  # six pixels of dust beside an object of 8000
    assert object_box(alpha) == Box(60, 50, 140, 150)
    alpha[180:190, 5:15] = 1  # a part of 100 pixels is real
    assert object_box(alpha) == Box(5, 50, 140, 190)


def test_a_tiny_object_is_still_an_object():
    alpha = np.zeros((9, 9), np.float32)
    alpha[4, 4] = 1
    assert object_box(alpha) == Box(4, 4, 5, 5)


def test_the_longer_side_fills_the_ratio():
    square = square_around(Box(10, 20, 50, 30), 0.8)
    assert (square.side, square.x0 + square.side / 2, square.y0 + square.side / 2) == (50, 30, 25)
    alphas = np.zeros((1, 60, 80), np.float32)
    alphas[0, 10:50, 20:40] = 1
    with pytest.warns(UserWarning, match="single frame"):
        clip = clip_of(alphas, size=100, foreground_ratio=0.8)
    solid = clip.frames[0, ..., 3] > 0.5
    rows, columns = torch.where(solid.any(1))[0], torch.where(solid.any(0))[0]
    assert (int(rows[0]), int(rows[-1]) + 1) == (10, 90)
    assert (int(columns[0]), int(columns[-1]) + 1) == (30, 70)
    assert clip.crop == (5.0, 5.0, 50.0)
    assert clip.source_size == (60, 80)


def test_a_moving_object_keeps_its_scale_and_moves_as_it_did():
    places = [(20, 30), (31, 30), (42, 38), (60, 38)]
    clip = clip_of(np.stack([disc(70, 90, x, y, 9) for x, y in places]), size=80)
    area = clip.frames[..., 3].sum((1, 2)).numpy()
    np.testing.assert_allclose(area, area[0], rtol=1e-3)
    scale = 80 / clip.crop[2]
    assert area[0] * scale**-2 == pytest.approx(np.pi * 81, rel=0.02)
    grid = torch.arange(80) + 0.5
    for frame, (x, y) in zip(clip.frames[..., 3], places):
        found = (frame.sum(0) @ grid / frame.sum(), frame.sum(1) @ grid / frame.sum())
        expected = ((x - clip.crop[0]) * scale, (y - clip.crop[1]) * scale)
        np.testing.assert_allclose(found, expected, atol=0.05)


def test_the_order_of_frames_does_not_matter():
    alphas = np.stack([disc(50, 60, 15 + 6 * index, 20 + 2 * index, 5 + index) for index in range(5)])
    order = [3, 0, 4, 1, 2]
    straight, shuffled = clip_of(alphas), clip_of(alphas[order])
    assert straight.crop == shuffled.crop
    assert torch.equal(straight.frames[order], shuffled.frames)


def test_a_larger_picture_around_the_object_changes_nothing_but_the_offset():
    alpha = disc(40, 40, 20, 20, 12)
    small = clip_of(np.stack([alpha, alpha]))
    large = clip_of(np.pad(np.stack([alpha, alpha]), ((0, 0), (30, 5), (7, 11))))
    np.testing.assert_allclose(np.subtract(large.crop, small.crop), (7, 30, 0), atol=1e-9)
    torch.testing.assert_close(large.frames, small.frames, atol=2e-5, rtol=0)


def test_outside_the_picture_is_transparent():
    colour, alpha = np.full((10, 20, 3), 255, np.uint8), np.ones((10, 20), np.float32)
    frame = cut(colour, alpha, Square(-10.0, -15.0, 40.0), 80)
    assert (frame[:26, :, 3] == 0).all() and (frame[54:, :, 3] == 0).all()
    assert (frame[:, :16, 3] == 0).all() and (frame[:, 64:, 3] == 0).all()
    np.testing.assert_allclose(frame[32:48, 22:58], 1.0, atol=1e-6)


@pytest.mark.parametrize("size", [10, 23, 40, 97])
def test_hidden_colours_do_not_bleed(size):
    """A red disc on transparent green: no green may show anywhere, at any scale."""
    alpha = disc(40, 40, 20, 20, 11)
    colour = np.where(alpha[..., None] > 0, np.float32([1, 0, 0]), np.float32([0, 1, 0]))
    frame = cut(colour, alpha, Square(3.3, 4.1, 33.7), size)
    seen = frame[..., 3] > 0
    assert seen.any() and not seen.all()
    np.testing.assert_allclose(frame[seen][:, 0], 1.0, atol=1e-3)
    assert np.abs(frame[..., 1:3]).max() < 1e-3
    assert (frame[~seen] == 0).all()


def test_half_transparent_colours_survive():
    alpha = np.full((30, 30), 0.25, np.float32)
    colour = np.broadcast_to(np.uint8([51, 102, 204]), (30, 30, 3))
    frame = cut(colour, alpha, Square(8.0, 8.0, 13.0), 24)
    np.testing.assert_allclose(frame, np.broadcast_to([0.2, 0.4, 0.8, 0.25], frame.shape), atol=1e-5)


def test_the_same_size_is_the_same_picture():
    rng = np.random.default_rng(0)
    colour, alpha = rng.integers(0, 256, (16, 16, 3), np.uint8), np.ones((16, 16), np.float32)
    frame = cut(colour, alpha, Square(0.0, 0.0, 16.0), 16)
    np.testing.assert_allclose(frame[..., :3], colour / 255, atol=1e-6)


@pytest.mark.parametrize("scale", [0.5, 1.5, 3])
def test_pixels_just_outside_the_square_count(scale):
    """A part cut out alone equals that part of a larger cut at the same scale, up to its very border."""
    rng = np.random.default_rng(0)
    colour, alpha = rng.random((32, 32, 3), np.float32), 0.5 + 0.5 * rng.random((32, 32), np.float32)
    whole = cut(colour, alpha, Square(0.0, 0.0, 32.0), round(32 * scale))
    part = cut(colour, alpha, Square(8.0, 12.0, 16.0), round(16 * scale))
    rows = slice(round(12 * scale), round(28 * scale))
    columns = slice(round(8 * scale), round(24 * scale))
    np.testing.assert_allclose(part, whole[rows, columns], atol=1e-5)
