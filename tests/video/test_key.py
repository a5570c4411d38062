"""Keying a plain background, compared with the alpha and colour that made the picture."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from shapegen4d_core.errors import InputError
from shapegen4d_core.video.key import background_colour, key_matte

RED = np.float32([0.75, 0.2, 0.1])


def painted(background, height=90, width=100):
    """(picture, alpha, shade): a shaded red ring, antialiased, over ``background`` [3]."""
    rows, columns = np.mgrid[:height, :width] + 0.5
    radius = np.hypot(columns - 48, rows - 44)
    alpha = (np.clip(30.5 - radius, 0, 1) * np.clip(radius - 11.5, 0, 1)).astype(np.float32)
    shade = RED * (0.7 + 0.3 * columns[..., None] / width).astype(np.float32)
    return alpha[..., None] * shade + (1 - alpha[..., None]) * np.float32(background), alpha, shade


@pytest.mark.parametrize("background", [(1, 1, 1), (0, 0, 0), (0.1, 0.7, 0.2), (0.5, 0.5, 0.5)])
def test_alpha_and_colour_are_recovered(background):
    picture, alpha, shade = painted(background)
    colour, found = key_matte(picture, 0.08, "x")
    assert np.abs(found - alpha).max() < 0.2
    assert np.abs(found - alpha).mean() < 0.002
    outline = (alpha > 0.3) & (alpha < 0.95)
    error = np.abs(colour - shade)[outline].mean()
    raw = np.abs(picture - shade)[outline].mean()
    assert error < 0.03 and error < raw / 4  # the background's share is gone
    assert found[44, 48] == 0  # the hole of the ring
    np.testing.assert_array_equal(colour[44, 28], picture[44, 28])


def test_coding_noise_is_kept_out():
    picture, alpha, _ = painted((0.9, 0.9, 0.95))
    noisy = picture + np.random.default_rng(1).normal(0, 0.012, picture.shape).astype(np.float32)
    _, found = key_matte(np.clip(noisy, 0, 1), 0.08, "x")
    assert (found[alpha == 0] > 0).mean() < 0.01
    assert np.abs(found - alpha).mean() < 0.01


def test_small_patches_of_the_background_colour_belong_to_the_object():
    picture, _, _ = painted((1, 1, 1))
    picture[40:42, 70:72] = 1.0  # a highlight of 4 of 9000 pixels
    _, found = key_matte(picture, 0.08, "x")
    assert (found[40:42, 70:72] > 0).all()
    assert found[38:44, 68:74].min() > 0


def test_thin_parts_stay():
    picture = np.ones((60, 60, 3), np.float32)
    picture[10:50, 30:32] = 0.2
    colour, found = key_matte(picture, 0.08, "x")
    assert (found[10:50, 30:32] == 1).all() and found.sum() == 80
    np.testing.assert_array_equal(colour, picture)


def test_tolerance_decides():
    picture = np.full((40, 40, 3), 0.5, np.float32)
    picture[10:30, 10:30] = 0.6
    assert key_matte(picture, 0.08, "x")[1].sum() == pytest.approx(400, rel=0.1)
    assert key_matte(picture, 0.12, "x")[1].sum() == 0


def test_object_at_the_border_does_not_set_the_colour():
    picture = np.full((60, 60, 3), 0.9, np.float32)
    picture[20:, 20:40] = RED
    np.testing.assert_allclose(background_colour(picture, 0.08, "x"), 0.9)
    _, found = key_matte(picture, 0.08, "x")
    np.testing.assert_array_equal(found[20:, 20:40], 1)


def test_a_busy_background_is_refused():
    rng = np.random.default_rng(0)
    busy = ndimage.zoom(rng.random((8, 8, 3)), (8, 8, 1), order=1).astype(np.float32)
    with pytest.raises(InputError, match="Frame 3 of a.mp4 has no transparency and no plain background") as caught:
        key_matte(busy, 0.08, "Frame 3 of a.mp4")
    assert "give a mask" in str(caught.value) and "raise tolerance" in str(caught.value)
    assert "\n" not in str(caught.value)
