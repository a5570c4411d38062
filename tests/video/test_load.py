"""From files and host frames to clips: mattes, times, warnings, errors, memory and cancelling."""

from __future__ import annotations

import gc
import tracemalloc
import warnings
import weakref

import numpy as np
import pytest
import torch
from PIL import Image

from shapegen4d_core.errors import Cancelled, InputError
from shapegen4d_core.video import BorderWarning, ClipWarning, StillWarning, clip_from_frames, load, load_clip
from shapegen4d_core.video.source import Source


@pytest.fixture(autouse=True)
def strict_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error", ClipWarning)
        yield


def save_folder(folder, frames):
    folder.mkdir()
    for index, frame in enumerate(frames):
        Image.fromarray(frame).save(folder / f"{index}.png")
    return folder


def as_tensor(frames):
    return torch.from_numpy(frames.astype(np.float32) / 255)


def over(frames, colour):
    """RGBA frames composited over a colour, opaque RGB."""
    alpha = frames[..., 3:] / 255
    return np.rint(frames[..., :3] * alpha + np.array(colour) * (1 - alpha)).astype(np.uint8)


def solid(colours):
    """RGB frames as opaque RGBA."""
    return np.concatenate([colours, np.full_like(colours[..., :1], 255)], axis=-1)


def test_all_kinds_of_file_give_the_same_clip(cutouts, write_video, tmp_path):
    frames = cutouts(6, shift=2)
    expected = clip_from_frames(as_tensor(frames), 10.0, size=40)
    pictures = [Image.fromarray(frame) for frame in frames]
    webp = {"save_all": True, "append_images": pictures[1:], "duration": 100, "lossless": True}
    pictures[0].save(tmp_path / "a.webp", **webp)
    pictures[0].save(tmp_path / "a.gif", save_all=True, append_images=pictures[1:], duration=100, disposal=2)
    save_folder(tmp_path / "pngs", frames)
    write_video(tmp_path / "a.mov", frames, codec="qtrle", layout="argb")
    for name in ("a.webp", "a.gif", "pngs", "a.mov"):
        clip = load_clip(tmp_path / name, size=40, fps=10.0 if name == "pngs" else None)
        assert clip.fps == pytest.approx(10.0)
        assert clip.crop == expected.crop and clip.source_size == (48, 64)
        torch.testing.assert_close(clip.frames, expected.frames, atol=1e-5, rtol=0)
    assert clip.name == "a"


@pytest.mark.parametrize("options", [{"stop": 8}, {"start": 2, "stop": 9, "stride": 3}, {"count": 4}])
def test_lossy_video_on_a_plain_background_is_close_to_the_alpha_it_came_from(
    options, cutouts, write_video, tmp_path
):
    frames = cutouts(12, shift=2)
    path = write_video(tmp_path / "a.mp4", solid(over(frames, (240, 240, 240))), options={"qp": "8"}, layout="yuv444p")
    clip = load_clip(path, size=40, **options)
    expected = clip_from_frames(as_tensor(frames), 10.0, size=40, **options)
    assert clip.fps == pytest.approx(expected.fps)
    assert clip.frames.shape == expected.frames.shape
    np.testing.assert_allclose(clip.crop, expected.crop, atol=1.1)
    assert (clip.frames[..., 3] - expected.frames[..., 3]).abs().mean() < 0.03


def test_a_frame_held_for_long_is_repeated_in_place(cutouts, tmp_path):
    first, *more = [Image.fromarray(frame) for frame in cutouts(4, shift=5)]
    durations = [100, 700, 100, 100]
    first.save(tmp_path / "a.gif", save_all=True, append_images=more, duration=durations, disposal=2)
    clip = load_clip(tmp_path / "a.gif", size=32, count=4)  # wanted at 0, 0.25, 0.5 and 0.75 s
    assert clip.fps == pytest.approx(4.0)
    places = (clip.frames[..., 3].sum(1) @ torch.arange(32.0)) / clip.frames[..., 3].sum((1, 2))
    assert torch.equal(clip.frames[2], clip.frames[3])  # starts at 0.8 s, the others at 0 and 0.1 s
    scale = 32 / clip.crop[2]
    np.testing.assert_allclose(places - places[0], np.array([0, 5, 10, 10]) * scale, atol=0.1)


class TestMattes:
    def test_auto_prefers_alpha_then_mask_then_key(self, cutouts):
        frames = as_tensor(cutouts(3))
        mask = torch.zeros(3, 48, 64)
        mask[:, 10:20, 10:20] = 1
        opaque = torch.cat([frames[..., :3], torch.ones_like(frames[..., :1])], dim=-1)
        with pytest.warns(ClipWarning, match="has its own alpha, so the mask is not used"):
            assert clip_from_frames(frames, 1.0, size=8, mask=mask).crop[2] == pytest.approx(22 / 0.95)
        masked = clip_from_frames(opaque, 1.0, size=8, mask=mask)
        assert masked.crop[2] == pytest.approx(10 / 0.95)
        assert clip_from_frames(opaque, 1.0, size=8).crop[2] == pytest.approx(22 / 0.95)
        forced = clip_from_frames(frames, 1.0, size=8, mask=mask, matte="mask")
        assert forced.crop == masked.crop

    def test_opaque_alpha_is_noticed_in_any_frame(self, cutouts):
        frames = as_tensor(cutouts(3))
        frames[:2] = 1.0  # only the last frame is transparent anywhere
        with pytest.warns(BorderWarning, match="frames 0-1"):
            clip = clip_from_frames(frames, 1.0, size=8)
        assert clip.crop[2] == pytest.approx(64 / 0.95)

    def test_masks_come_as_tensors_folders_and_videos(self, cutouts, write_video, tmp_path):
        frames = cutouts(6, shift=3)
        grey = np.repeat(frames[..., 3:], 3, axis=-1)
        opaque = solid(np.random.default_rng(0).integers(0, 256, grey.shape, np.uint8))
        path = save_folder(tmp_path / "pngs", opaque)
        expected = load_clip(path, size=24, mask=torch.from_numpy(frames[..., 3] / 255))
        save_folder(tmp_path / "masks", grey)
        save_folder(tmp_path / "cutouts", np.concatenate([np.full_like(grey, 255), frames[..., 3:]], axis=-1))
        write_video(tmp_path / "m.mov", solid(grey), codec="qtrle", layout="rgb24")
        for name in ("masks", "cutouts", "m.mov"):
            clip = load_clip(path, size=24, mask=tmp_path / name)
            torch.testing.assert_close(clip.frames, expected.frames, atol=1e-6, rtol=0)
        part = clip_from_frames(
            as_tensor(opaque[2:4])[..., :3], 1.0, size=24, mask=frames[2:4, ..., 3] / np.float32(255)
        )
        for mask in (tmp_path / "masks", tmp_path / "m.mov", frames[..., 3] / np.float32(255)):
            clip = load_clip(path, size=24, mask=mask, start=2, stop=4)
            torch.testing.assert_close(clip.frames, part.frames, atol=1e-6, rtol=0)
        still = load_clip(path, size=24, mask=frames[0, ..., 3] / np.float32(255))
        assert torch.equal(still.frames[0, ..., 3], still.frames[3, ..., 3])

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"mask": torch.zeros(3, 48, 64)}, r"no object in frames 0-2 of .* \(matte 'mask'\)"),
            ({"mask": torch.ones(48, 64)}, "frame 0 covers .* looks inverted; give mask with 1 for the object"),
            ({"mask": torch.ones(2, 48, 64)}, "mask has 2 frames, but .* has 3"),
            ({"mask": torch.ones(3, 20, 30)}, "mask of frame 0 is 30 x 20 pixels, but the frame is 64 x 48"),
            ({"mask": torch.ones(3, 48, 64, 3)}, r"mask has shape \[3, 48, 64, 3\]"),
            ({"mask": torch.full((48, 64), 255.0)}, r"spans 255\.\.255, accepted is 0\.\.1"),
            ({"mask": torch.ones(48, 64), "matte": "key"}, "matte is 'key'; set matte to 'mask'"),
            ({"matte": "mask"}, "no mask was given"),
            ({"matte": "alpha"}, "no transparent pixel .* set matte to 'key'"),
            ({"matte": "rembg"}, "accepted are auto, alpha, mask, key"),
            ({"tolerance": 0.0}, "tolerance is 0.0"),
            ({"size": 0}, "size is 0"),
            ({"foreground_ratio": 1.5}, "foreground_ratio is 1.5"),
        ],
    )
    def test_refused(self, options, message, cutouts):
        opaque = as_tensor(cutouts(3))[..., :3]
        with pytest.raises(InputError, match=message) as caught:
            clip_from_frames(opaque, 1.0, **({"size": 8} | options))
        assert "\n" not in str(caught.value)

    def test_inverted_but_not_full(self, cutouts):
        opaque = as_tensor(cutouts(3))
        inverted = 1 - opaque[..., 3]
        with pytest.raises(InputError, match="frame 0 covers the whole border"):
            clip_from_frames(opaque[..., :3], 1.0, size=8, mask=inverted)
        nearly_all = torch.ones(48, 64)
        nearly_all[0, :20] = 0
        with pytest.raises(InputError, match="or 99% of the picture"):
            clip_from_frames(opaque[..., :3], 1.0, size=8, mask=nearly_all)
        most = torch.ones(48, 64)
        most[:3] = 0  # 94 %: a close view, but not an inverted mask
        with pytest.warns(BorderWarning):
            clip_from_frames(opaque[..., :3], 1.0, size=8, mask=most)

    def test_empty_frames_are_named(self, cutouts):
        frames = as_tensor(cutouts(9))
        frames[[2, 5, 6, 7], ..., 3] = 0
        with pytest.raises(InputError, match=r"no object in frames 2, 5-7 of clip \(matte 'alpha'\)"):
            clip_from_frames(frames, 1.0, size=8)
        assert len(clip_from_frames(frames, 1.0, size=8, start=3, stop=5).frames) == 2


@pytest.mark.parametrize(
    ("images", "fps", "message"),
    [
        (np.zeros((2, 8, 8, 3), np.float32), 1.0, "images are ndarray"),
        (torch.zeros(2, 8, 8, 3, dtype=torch.uint8), 1.0, "images are torch.uint8"),
        (torch.zeros(2, 3, 8, 8), 1.0, r"\[2, 3, 8, 8\], accepted is \[T,H,W,3\]"),
        (torch.full((2, 8, 8, 3), 200.0), 1.0, "Frame 0 of clip spans 200"),
        (torch.full((2, 8, 8, 3), float("nan")), 1.0, "spans nan"),
        (torch.zeros(2, 8, 8, 3), 0.0, "fps is 0.0"),
    ],
)
def test_host_frames_are_checked(images, fps, message):
    with pytest.raises(InputError, match=message):
        clip_from_frames(images, fps, size=8)


def test_border_and_still_warnings_name_what_they_mean(cutouts, tmp_path):
    frames = as_tensor(cutouts(4))
    frames[1:3, 40:, 20:30, :] = 1.0
    with pytest.warns(BorderWarning, match="border of the picture in frames 1-2 of clip"):
        clip_from_frames(frames, 1.0, size=8)
    Image.fromarray(cutouts(1)[0]).save(tmp_path / "still.png")
    with pytest.warns(StillWarning, match="still.png gives a single frame, so the sampler will make one still mesh"):
        clip = load_clip(tmp_path / "still.png", size=8)
    assert clip.fps == 1.0 and len(clip.frames) == 1
    with pytest.warns(StillWarning):
        assert load_clip(tmp_path / "still.png", size=8, fps=30).fps == pytest.approx(30.0)


def test_range_outside_a_file(cutouts, tmp_path):
    save_folder(tmp_path / "f", cutouts(3))
    with pytest.raises(InputError, match="stop is 4, but there are 3 frames; set stop to at most 3"):
        load_clip(tmp_path / "f", stop=4)
    with pytest.raises(InputError, match="stride is 0"):
        load_clip(tmp_path / "f", stride=0)
    with pytest.raises(InputError, match="fps is nan"):
        load_clip(tmp_path / "f", fps=float("nan"))


def test_progress_counts_and_check_cancels(cutouts):
    frames, steps = as_tensor(cutouts(3)), []
    clip_from_frames(frames, 1.0, size=8, progress=lambda step, total, preview=None: steps.append((step, total)))
    assert steps == [(step, 6) for step in range(1, 7)]

    def check():
        if len(steps) >= 8:
            raise Cancelled

    with pytest.raises(Cancelled):
        clip_from_frames(frames, 1.0, size=8, progress=lambda *_: steps.append(0), check=check)
    assert len(steps) == 8


def test_source_frames_are_never_collected(tmp_path, monkeypatch):
    """Twelve frames cost no more memory than three, and at most two pictures are alive at any time."""
    frame = np.zeros((400, 500, 4), np.uint8)
    frame[100:300, 100:300] = 255
    save_folder(tmp_path / "f", [frame] * 12)
    references, most = [], []
    pictures = Source.pictures

    class Tracked(np.ndarray):
        """An array that can be referred to weakly."""

    def watching(self, indices):
        for index, picture in pictures(self, indices):
            tracked = picture.view(Tracked)
            references.append(weakref.ref(tracked))
            yield index, tracked
            most.append(sum(reference() is not None for reference in references))

    monkeypatch.setattr(Source, "pictures", watching)
    peaks = []
    for count in (3, 12):
        gc.collect()
        tracemalloc.start()
        load_clip(tmp_path / "f", size=16, stop=count)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert max(most) <= 2
    assert peaks[1] - peaks[0] < frame.nbytes


def test_only_wanted_frames_are_matted(numbered, write_video, tmp_path, monkeypatch):
    path = write_video(tmp_path / "a.mp4", numbered(30), options={"qp": "4"})
    seen = []
    original = load.object_box
    monkeypatch.setattr(load, "object_box", lambda alpha: seen.append(1) or original(alpha))
    limits = []
    opened = load.open_source
    monkeypatch.setattr(load, "open_source", lambda path, limit: limits.append(limit) or opened(path, limit))
    assert len(load_clip(path, size=8, count=5, stop=20).frames) == 5
    assert (len(seen), limits) == (5, [20])
