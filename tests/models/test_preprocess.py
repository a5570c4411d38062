"""Picture preparation beyond the golden data: alpha, sizes, the two paths, what is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from shapegen4d_core.errors import InputError
from shapegen4d_core.models import ImageEncoderConfig
from shapegen4d_core.models.preprocess import (
    clip_to_pixels,
    crop_to_object,
    pixel_values,
    pixel_values_from_tensor,
)
from shapegen4d_core.sequence import Clip

RGB = ImageEncoderConfig(image_size=28, patch_size=14)
RGBA = replace(RGB, in_channels=4, mean=None, std=None)


def picture(height, width, channels, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, channels), dtype=np.uint8)


def back(pixels, config):
    mean, std = (torch.tensor(values).view(1, -1, 1, 1) for values in (config.mean, config.std))
    return pixels * std + mean


def test_crop_centres_the_object_at_the_asked_size():
    rgba = np.zeros((60, 100, 4), np.uint8)
    rgba[5:25, 70:80] = (200, 10, 10, 255)  # 20 high, 10 wide
    result = crop_to_object(rgba, 0.5, (255, 255, 255))
    assert result.shape == (100, 100, 4)
    rows, columns = (np.flatnonzero(result[..., 3].any(axis=axis)) for axis in (1, 0))
    assert (rows[0], rows[-1], columns[0], columns[-1]) == (35, 64, 42, 56)  # 30 x 15 about the centre
    assert (result[result[..., 3] == 0][:, :3] == 255).all()


def test_crop_of_a_half_transparent_object_shows_the_background():
    rgba = np.zeros((8, 8, 4), np.uint8)
    rgba[2:6, 2:6] = (100, 0, 0, 128)
    result = crop_to_object(rgba, 1.0, (0, 0, 200))
    assert result[4, 4, 3] == 128 and 95 <= result[4, 4, 2] <= 105 and 45 <= result[4, 4, 0] <= 55


@pytest.mark.parametrize("rgba, ratio, words", [
    (np.zeros((8, 8, 4), np.uint8), 0.9, "transparent"),
    (np.zeros((8, 8, 3), np.uint8), 0.9, r"\[8, 8, 3\]"),
    (np.zeros((8, 8, 4), np.float32), 0.9, "float32"),
    (np.full((8, 8, 4), 255, np.uint8), 0.0, "foreground_ratio is 0"),
])  # fmt: skip
def test_crop_refuses(rgba, ratio, words):
    with pytest.raises(InputError, match=words):
        crop_to_object(rgba, ratio)


def test_all_forms_of_input_agree():
    array = picture(28, 28, 3)
    forms = (array, [array], array[None], Image.fromarray(array), [Image.fromarray(array)])
    results = [pixel_values(form, RGB) for form in forms]
    assert all(torch.equal(result, results[0]) for result in results) and results[0].shape == (1, 3, 28, 28)
    expected = torch.from_numpy(array).permute(2, 0, 1)[None].float() / 255
    torch.testing.assert_close(back(results[0], RGB), expected, atol=1e-6, rtol=0)


def test_rgb_encoders_drop_alpha_and_rgba_encoders_premultiply():
    array = picture(28, 28, 4)
    assert torch.equal(pixel_values(array, RGB), pixel_values(array[..., :3], RGB))
    values = torch.from_numpy(array).permute(2, 0, 1)[None].float() / 255
    expected = torch.cat([values[:, :3] * values[:, 3:], values[:, 3:]], dim=1)
    torch.testing.assert_close(back(pixel_values(array, RGBA), RGBA), expected, atol=1e-6, rtol=0)


def test_hidden_colour_does_not_leak_into_rgba_pixels():
    array = picture(50, 40, 4)
    array[..., 3] = np.where(np.arange(50)[:, None] < 25, 255, 0)
    other = array.copy()
    other[25:, :, :3] = 255 - other[25:, :, :3]
    assert torch.equal(pixel_values(array, RGBA), pixel_values(other, RGBA))


@pytest.mark.parametrize("height, width", [(40, 70), (70, 40), (20, 31)])
def test_the_middle_of_the_longer_side_is_kept(height, width):
    array = np.zeros((height, width, 3), np.uint8)
    array[height // 4 : height - height // 4, width // 4 : width - width // 4] = 255
    for pixels in (pixel_values(array, RGB), pixel_values_from_tensor(torch.from_numpy(array)[None] / 255, RGB)):
        light = back(pixels, RGB)[0, 0]
        for axis in (0, 1):
            profile = light.mean(dim=axis)
            centre = (profile * torch.arange(28)).sum() / profile.sum()
            assert abs(centre - 13.5) <= 0.6  # half a pixel where the difference of the sides is odd


def test_sizes_and_offsets_are_truncated():
    array = picture(20, 34, 3)  # 28 * 34 / 20 is 47.6; 19 pixels too many, 9 of them at the left
    wide = Image.fromarray(array).resize((47, 28), Image.Resampling.BICUBIC).crop((9, 0, 37, 28))
    assert torch.equal(pixel_values(array, RGB), pixel_values(wide, RGB))
    array = picture(34, 20, 3)
    tall = Image.fromarray(array).resize((28, 47), Image.Resampling.BICUBIC).crop((0, 9, 28, 37))
    assert torch.equal(pixel_values(array, RGB), pixel_values(tall, RGB))


def test_both_paths_nearly_agree():
    smooth = torch.nn.functional.interpolate(torch.rand(1, 3, 5, 6), size=(60, 72), mode="bilinear")
    array = (smooth[0].permute(1, 2, 0) * 255).round().to(torch.uint8)
    tensor = pixel_values_from_tensor(array[None].float() / 255, RGB)
    torch.testing.assert_close(tensor, pixel_values(array.numpy(), RGB), atol=0.02, rtol=0)


def test_overshoot_is_clamped_for_rgba_only():
    edges = torch.zeros(1, 40, 40, 4)
    edges[:, :, 20:] = 1.0
    premultiplied = back(pixel_values_from_tensor(edges, RGBA), RGBA)
    assert 0 <= premultiplied.min() and premultiplied.max() <= 1
    assert back(pixel_values_from_tensor(edges, RGB), RGB).max() > 1


def test_clips():
    frames = torch.from_numpy(picture(28, 28, 4)).float()[None].repeat(3, 1, 1, 1) / 255
    clip = Clip(frames, fps=8.0)
    on_white = frames[..., :3] * frames[..., 3:] + 1 - frames[..., 3:]
    rgb = clip_to_pixels(clip, RGB)
    assert rgb.shape == (3, 3, 28, 28)
    torch.testing.assert_close(back(rgb, RGB), on_white.permute(0, 3, 1, 2), atol=0.5 / 255 + 1e-6, rtol=0)
    assert torch.equal(clip_to_pixels(clip, RGBA), pixel_values_from_tensor(frames, RGBA))


@pytest.mark.parametrize("images, words", [
    (np.zeros((8, 8, 1), np.uint8), r"\[8, 8, 1\]"), (np.zeros((8, 8, 3)), "float64"), ([], "at least one"),
])  # fmt: skip
def test_pictures_that_are_refused(images, words):
    with pytest.raises(InputError, match=words):
        pixel_values(images, RGB)


def test_rgba_encoders_need_alpha():
    with pytest.raises(InputError, match=r"\[F,H,W,4\]"):
        pixel_values_from_tensor(torch.zeros(1, 28, 28, 3), RGBA)
