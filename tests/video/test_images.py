"""Animated images, single images and folders give their pictures, times and transparency."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, features

from shapegen4d_core.errors import InputError
from shapegen4d_core.video.images import AnimationSource
from shapegen4d_core.video.reader import open_source


def save_animation(path, frames, durations, **options):
    pictures = [Image.fromarray(frame) for frame in frames]
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=durations, loop=0, **options)
    return path


@pytest.mark.parametrize("name", ["x.gif", "x.webp", "x.png"])
def test_animated_images_keep_times_and_alpha(name, cutouts, tmp_path):
    if name == "x.webp" and not features.check("webp"):
        pytest.skip("this Pillow has no WebP")
    frames, durations = cutouts(5), [100, 40, 300, 40, 200]
    options = {"lossless": True} if name == "x.webp" else {"disposal": 2} if name == "x.gif" else {}
    source = open_source(save_animation(tmp_path / name, frames, durations, **options))
    assert isinstance(source, AnimationSource)
    np.testing.assert_allclose(source.times, [0, 0.1, 0.14, 0.44, 0.48], atol=1e-9)
    assert source.end == pytest.approx(0.68)
    assert source.has_alpha([0])
    found = dict(source.pictures([1, 3]))
    assert source.decoded == 4  # frames build on each other, but none after the last wanted one
    for index, picture in found.items():
        np.testing.assert_array_equal(picture[..., 3], frames[index, ..., 3])
        np.testing.assert_array_equal(picture[20, 20], frames[index, 20, 20])


def test_frames_without_a_duration_last_a_tenth_of_a_second(cutouts, tmp_path):
    source = open_source(save_animation(tmp_path / "x.gif", cutouts(3), 0))
    np.testing.assert_allclose(source.times, [0, 0.1, 0.2])


def test_animation_limit(cutouts, tmp_path):
    source = open_source(save_animation(tmp_path / "x.gif", cutouts(6), 50), limit=2)
    np.testing.assert_allclose(source.times, [0, 0.05, 0.1])


def test_folders_are_in_natural_order(tmp_path):
    for number in (10, 9, 2, 1, 100):
        Image.new("RGB", (8, 6), (number, 0, 0)).save(tmp_path / f"frame{number}.png")
    (tmp_path / "notes.txt").write_text("not a picture")
    source = open_source(tmp_path)
    found = {index: int(picture[0, 0, 0]) for index, picture in source.pictures(range(5))}
    assert found == {0: 1, 1: 2, 2: 9, 3: 10, 4: 100}
    assert source.end == pytest.approx(5 / 24)
    assert not source.has_alpha(range(5))
    source.set_rate(10)
    assert source.times[3] == pytest.approx(0.3) and source.end == pytest.approx(0.5)


def test_single_images_of_all_sorts(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # shown a quarter turn clockwise
    Image.new("RGB", (8, 6), (50, 60, 70)).save(tmp_path / "p.jpg", exif=exif)
    Image.new("P", (8, 6), 0).save(tmp_path / "p.png", transparency=0)
    Image.fromarray(np.full((6, 8), 257 * 200, np.uint16)).save(tmp_path / "deep.png")
    assert next(open_source(tmp_path / "p.jpg").pictures([0]))[1].shape == (8, 6, 3)
    assert next(open_source(tmp_path / "p.png").pictures([0]))[1].shape == (6, 8, 4)
    assert next(open_source(tmp_path / "deep.png").pictures([0]))[1][0, 0].tolist() == [200] * 3
    still = open_source(tmp_path / "p.jpg")
    assert (len(still.times), still.end) == (1, 1.0)


def test_sizes_must_agree(tmp_path):
    Image.new("RGB", (8, 6)).save(tmp_path / "a.png")
    Image.new("RGB", (8, 7)).save(tmp_path / "b.png")
    with pytest.raises(InputError, match="Frame 1 of .* is 8 x 7 pixels, but those before are 8 x 6"):
        list(open_source(tmp_path).pictures([0, 1]))
