"""Pictures come back from every kind of file, at the right times, and nothing is left behind when writing stops."""

from __future__ import annotations

import time

import av
import numpy as np
import pytest
import torch
from PIL import Image

from shapegen4d_core.errors import Cancelled, InputError
from shapegen4d_core.rendering import save_pictures


def pictures(count: int = 7, channels: int = 3, size: tuple[int, int] = (24, 32)) -> torch.Tensor:
    """A bright bar that moves down over grey, [count,H,W,channels]; with 4 channels the left half is transparent."""
    frames = torch.full((count, *size, channels), 0.25)
    for number in range(count):
        frames[number, 2 * number : 2 * number + 4, :, 0] = 1
    if channels == 4:
        frames[..., 3] = 1
        frames[:, :, : size[1] // 2, 3] = 0
    return frames


def test_mp4(tmp_path):
    save_pictures(pictures(), tmp_path / "a.mp4", 12.5)
    with av.open(str(tmp_path / "a.mp4")) as file:
        stream = file.streams.video[0]
        assert float(stream.average_rate) == 12.5
        frames = np.stack([frame.to_ndarray(format="rgb24") for frame in file.decode(video=0)]) / 255
    assert frames.shape == (7, 24, 32, 3)
    brightest = (frames[..., 0] * np.arange(24)[:, None] * (frames[..., 0] > 0.6)).sum((1, 2)) / (
        frames[..., 0] * (frames[..., 0] > 0.6)).sum((1, 2))
    np.testing.assert_allclose(brightest, 2 * np.arange(7) + 1.5, atol=0.3)


@pytest.mark.parametrize(("suffix", "unit"), [("webp", 1), ("gif", 10)])
def test_animated_images(tmp_path, suffix, unit):
    given = pictures(channels=4)
    save_pictures(given, tmp_path / f"a.{suffix}", 24)
    with Image.open(tmp_path / f"a.{suffix}") as image:
        assert image.n_frames == 7 and image.info["loop"] == 0
        times, frames = [], []
        for number in range(7):
            image.seek(number)
            frames.append(np.asarray(image.convert("RGBA")) / 255)
            times.append(image.info.get("duration", 0))
    if suffix == "gif":
        assert sum(times) == pytest.approx(7000 / 24, abs=unit) and set(times) == {40, 50}
    frames = np.stack(frames)
    np.testing.assert_allclose(frames[..., 3], given[..., 3], atol=0.01)
    assert np.abs(frames[:, :, 18:, :3] - given[:, :, 18:, :3].numpy()).mean() < 0.05


def test_a_folder_and_a_contact_sheet_keep_every_value(tmp_path):
    given = pictures(channels=4)
    save_pictures(given, tmp_path / "frames", 24)
    files = sorted((tmp_path / "frames").iterdir())
    assert [file.name for file in files] == [f"{number:05}.png" for number in range(1, 8)]
    for file, picture in zip(files, given):
        np.testing.assert_array_equal(np.asarray(Image.open(file)), (picture * 255).round().byte().numpy())
    save_pictures(given, tmp_path / "sheet.png", 24, columns=4)
    assert Image.open(tmp_path / "sheet.png").size == (4 + 4 * 36, 2 * 28 + 4 + 4)


@pytest.mark.parametrize("name", ["a.mp4", "a.webp", "a.gif", "frames"])
def test_cancelling_leaves_nothing(tmp_path, name):
    steps = []

    def check() -> None:
        if len(steps) == 3:
            raise Cancelled

    with pytest.raises(Cancelled):
        save_pictures(pictures(), tmp_path / name, 8, progress=lambda step, *_: steps.append(step), check=check)
    assert list(tmp_path.iterdir()) == []


def noise(count: int, side: int) -> torch.Tensor:
    """Pictures that no writer can make short work of."""
    return torch.rand(count, side, side, 3, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def one_thread():
    """Torch works in the thread whose time is taken."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("name", ["a.webp", "a.gif", "frames"])
def test_steps_are_told_while_the_pictures_are_written(tmp_path, name, one_thread):
    """Spread over the work: a writer that asks for all pictures at once would report all of them at once."""
    given, steps = noise(12, 256), []
    times = [time.thread_time()]

    def progress(step, total, preview=None):
        steps.append(step)
        times.append(time.thread_time())

    save_pictures(given, tmp_path / name, 8, progress=progress)
    whole = time.thread_time() - times[0]
    assert steps == list(range(1, 13))
    assert times[-1] - times[1] > 0.4 * whole


@pytest.mark.parametrize("name", ["a.gif", "sheet.png"])
def test_one_large_picture_can_be_stopped_while_it_is_written(tmp_path, name):
    looks = []

    def check() -> None:
        looks.append(None)
        if len(looks) == stop:
            raise Cancelled

    stop = 0
    save_pictures(noise(2, 512), tmp_path / name, 8, check=check)
    whole = len(looks)
    assert whole > 12
    (tmp_path / name).unlink()
    looks.clear()
    stop = whole - 3
    with pytest.raises(Cancelled):
        save_pictures(noise(2, 512), tmp_path / name, 8, check=check)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["a.mp4", "a.webp", "sheet.png"])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_values_that_are_no_numbers_are_refused(tmp_path, name, value):
    given = pictures()
    given[3, 2, 1, 0] = value
    with pytest.raises(InputError, match="Picture 4 has values that are not finite"):
        save_pictures(given, tmp_path / name, 8)
    assert list(tmp_path.iterdir()) == []


def test_an_empty_folder_is_used_and_others_are_not_touched(tmp_path):
    (tmp_path / "empty").mkdir()
    save_pictures(pictures(), tmp_path / "empty", 8)
    assert len(list((tmp_path / "empty").iterdir())) == 7
    with pytest.raises(InputError, match="is there already"):
        save_pictures(pictures(), tmp_path / "empty", 8)


def test_refusals(tmp_path):
    for given, name, words in (
        (pictures(), "a.avi", r"ends in .avi; accepted are .mp4, .webp, .gif, .png"),
        (pictures(size=(23, 32)), "a.mp4", "MP4 needs even sides"),
        (pictures(channels=4), "a.mp4", "MP4 cannot hold"),
        (pictures()[0], "a.mp4", "pictures have shape"),
        (pictures(), "no/a.webp", "does not exist"),
        (pictures(), "no/frames", "does not exist"),
    ):
        with pytest.raises(InputError, match=words):
            save_pictures(given, tmp_path / name, 8)
    with pytest.raises(InputError, match="fps is 0.001"):
        save_pictures(pictures(), tmp_path / "a.gif", 0.001)
    assert list(tmp_path.iterdir()) == []
