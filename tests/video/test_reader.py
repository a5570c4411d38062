"""Every kind of input gives the frames that were written, with their times, decoding only what is needed."""

from __future__ import annotations

import struct
import wave

import av
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from shapegen4d_core.errors import InputError
from shapegen4d_core.video import container
from shapegen4d_core.video.notices import ClipWarning
from shapegen4d_core.video.reader import open_source


def levels(source, indices):
    """{frame number: grey level in the corner} of the wanted frames."""
    return {index: int(picture[2, 2, 0]) for index, picture in source.pictures(indices)}


def assert_numbered(source, indices, step=8):
    found = levels(source, indices)
    assert list(found) == list(indices)
    for index, level in found.items():
        assert abs(level - step * index) < step / 2, (index, level)


VIDEOS = {
    "h264.mp4": {"options": {"qp": "4"}},
    "b_frames.mp4": {"options": {"qp": "4", "bf": "3", "b-pyramid": "normal"}},
    "open_gop.mkv": {"options": {"qp": "4", "bf": "3", "x264-params": "keyint=8:open-gop=1"}},
    "rgb.mov": {"codec": "qtrle", "layout": "rgb24"},
    "stream.ts": {"options": {"qp": "4", "bf": "2"}},
    "no_stamps.avi": {"codec": "mpeg4", "options": {"bf": "2", "qmin": "1", "qmax": "2"}},
    "vp8.webm": {"codec": "libvpx", "options": {"b": "2M", "auto-alt-ref": "1", "lag-in-frames": "16"}},
    "vp9.webm": {"codec": "libvpx-vp9", "layout": "yuv420p", "options": {"crf": "4", "b": "0"}},
}


@pytest.mark.parametrize("name", VIDEOS)
def test_videos_give_the_frames_asked_for(name, numbered, write_video, tmp_path):
    path = write_video(tmp_path / name, numbered(30), **VIDEOS[name])
    source = open_source(path)
    assert len(source.times) == 30
    np.testing.assert_allclose(source.times, np.arange(30) / 10, atol=2e-3)
    assert source.end == pytest.approx(3.0, abs=2e-3)
    for indices in ([0], [29], [3, 4, 17, 28], list(range(30))):
        assert_numbered(source, indices)


def hide_frame(source, target, hidden):
    """Copy a VP8 file, clearing the show bit of packet ``hidden``, as encoders do for reference pictures."""
    with av.open(str(source)) as old, av.open(str(target), "w") as new:
        stream = new.add_stream_from_template(old.streams.video[0])
        for number, packet in enumerate(old.demux(video=0)):
            if packet.size:
                data = bytearray(bytes(packet))
                data[0] &= 0xFF ^ (0x10 if number == hidden else 0)
                copy = av.Packet(bytes(data))
                copy.pts, copy.dts, copy.time_base, copy.stream = packet.pts, packet.dts, packet.time_base, stream
                copy.is_keyframe = packet.is_keyframe
                new.mux(copy)
    return target


def test_packets_that_show_nothing_are_no_frames(numbered, write_video, tmp_path):
    whole = write_video(tmp_path / "whole.webm", numbered(20), codec="libvpx", options={"b": "2M"})
    source = open_source(hide_frame(whole, tmp_path / "hidden.webm", 10))
    assert len(source.times) == 19
    assert source.times[10] == pytest.approx(1.1, abs=2e-3)
    found = levels(source, [9, 10, 18])
    assert np.abs(np.subtract(list(found.values()), [72, 88, 152])).max() < 4


def test_only_what_is_needed_is_decoded(numbered, write_video, tmp_path):
    path = write_video(tmp_path / "long.mp4", numbered(60, step=4), options={"g": "10", "qp": "4"})
    source = open_source(path)
    assert source.decoded == 0  # timing comes from the packets
    assert_numbered(source, [2, 41, 58], step=4)
    assert source.decoded <= (2 + 1) + (1 + 1) + (8 + 1) + 3  # up to the frame from its keyframe, and threads ahead


def test_a_limit_reads_no_further(numbered, write_video, tmp_path, monkeypatch):
    path = write_video(tmp_path / "long.mp4", numbered(60, step=4), options={"g": "12", "qp": "4"})
    packets = []
    demux = container.scan_packets

    def counting(opened, stream, limit):
        class Counter:
            def demux(self, stream):
                for packet in opened.demux(stream):
                    packets.append(packet.pts)
                    yield packet

        return demux(Counter(), stream, limit)

    monkeypatch.setattr(container, "scan_packets", counting)
    source = open_source(path, limit=4)
    assert len(packets) < 45
    assert len(source.times) == 5
    assert_numbered(source, [0, 3], step=4)


def test_variable_times_are_kept(numbered, write_video, tmp_path):
    stamps = [0, 100, 130, 700, 1000, 1010]
    source = open_source(write_video(tmp_path / "v.mkv", numbered(6), stamps=stamps))
    np.testing.assert_allclose(source.times, np.array(stamps) / 1000, atol=1e-3)
    assert source.end > 1.010


def test_a_misleading_index_is_survived(numbered, write_video, tmp_path, monkeypatch):
    path = write_video(tmp_path / "x.mp4", numbered(30), options={"g": "6", "qp": "4"})
    source = open_source(path)
    seek = av.container.InputContainer.seek

    class Misled:
        def __init__(self, opened):
            self.opened = opened

        def __enter__(self):
            return self

        def __exit__(self, *_):
            self.opened.close()

        def __getattr__(self, name):
            return getattr(self.opened, name)

        def seek(self, stamp, stream):
            seek(self.opened, stamp + 15 * 1024, stream=stream)

    opened = source._opened
    monkeypatch.setattr(source, "_opened", lambda: Misled(opened()))
    assert_numbered(source, [10, 11, 20])


def turned_90_clockwise(data):
    """The same mp4 with the display matrix that phones write for upright pictures."""
    place = data.index(b"tkhd") + 4 + 40
    matrix = struct.pack(">9i", 0, 1 << 16, 0, -(1 << 16), 0, 0, 0, 0, 1 << 30)
    return data[:place] + matrix + data[place + 36 :]


def test_phone_videos_are_upright(write_video, tmp_path):
    frames = np.zeros((2, 32, 64, 4), np.uint8)
    frames[:, :16, :16] = 255  # bright corner at the top left
    path = write_video(tmp_path / "x.mp4", frames)
    path.write_bytes(turned_90_clockwise(path.read_bytes()))
    ((_, picture),) = open_source(path).pictures([1])
    assert picture.shape == (64, 32, 3)
    assert picture[4, 28].min() > 240  # at the top right after a quarter turn clockwise
    assert picture[4, 4].max() < 15 and picture[60, 28].max() < 15


@pytest.mark.parametrize(("rows", "weights"), [(48, (0.299, 0.114)), (720, (0.2126, 0.0722))])
def test_untagged_colours_follow_the_size(rows, weights, tmp_path):
    """Y = 16 + 219 (kr R + kg G + kb B): BT.601 for small pictures, BT.709 for high definition."""
    red, green, blue = 0.8, 0.3, 0.2
    luma = weights[0] * red + (1 - sum(weights)) * green + weights[1] * blue
    values = (
        16 + 219 * luma,
        128 + 224 * (blue - luma) / (2 * (1 - weights[1])),
        128 + 224 * (red - luma) / (2 * (1 - weights[0])),
    )
    frame = av.VideoFrame(64, rows, "yuv444p")
    for plane, value in zip(frame.planes, values):
        plane.update(bytes([round(value)]) * plane.buffer_size)
    picture = container.frame_pixels(frame, alpha=False)
    np.testing.assert_allclose(picture[5, 5] / 255, (red, green, blue), atol=0.012)


def test_oblong_pixels_become_square():
    picture = container.frame_pixels(av.VideoFrame(60, 40, "rgb24"), False, container.Fraction(4, 3))
    assert picture.shape == (40, 80, 3)
    picture = container.frame_pixels(av.VideoFrame(60, 40, "rgb24"), True, container.Fraction(1, 2))
    assert picture.shape == (80, 60, 4)


ALPHA_VIDEOS = {
    "a.webm": {"codec": "libvpx-vp9", "layout": "yuva420p", "options": {"crf": "4", "b": "0"}},
    "b.webm": {"codec": "libvpx", "layout": "yuva420p", "options": {"auto-alt-ref": "0", "b": "2M"}},
    "c.mov": {"codec": "qtrle", "layout": "argb"},
    "d.mkv": {"codec": "ffv1", "layout": "bgra"},
}


@pytest.mark.parametrize("name", ALPHA_VIDEOS)
def test_videos_keep_their_alpha(name, cutouts, write_video, tmp_path):
    frames = cutouts(12)
    frames[..., 3] //= 2
    source = open_source(write_video(tmp_path / name, frames, **ALPHA_VIDEOS[name]))
    assert source.has_alpha([0])
    for index, picture in source.pictures([1, 8]):
        difference = np.abs(picture[..., 3].astype(int) - frames[index, ..., 3])
        assert np.percentile(difference, 95) <= 4
        inside = picture[20:28, 20 + index : 24 + index, :3].astype(int)
        assert np.abs(inside - (200, 40, 20)).max() <= 12


def test_alpha_that_cannot_be_decoded_is_said(cutouts, write_video, tmp_path, monkeypatch):
    path = write_video(tmp_path / "a.webm", cutouts(3), **ALPHA_VIDEOS["a.webm"])
    monkeypatch.setattr(container.av, "codecs_available", {"vp9"})
    with pytest.warns(ClipWarning, match="lacks the libvpx-vp9 decoder"):
        source = open_source(path)
    assert not source.has_alpha([0])


def silent_wave(path):
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(bytes(1600))


def test_unusable_files_are_one_sentence(tmp_path, numbered, write_video):
    (tmp_path / "garbage.mp4").write_bytes(np.random.default_rng(0).bytes(5000))
    (tmp_path / "empty.webm").write_bytes(b"")
    (tmp_path / "none").mkdir()
    silent_wave(tmp_path / "sound.wav")
    whole = write_video(tmp_path / "whole.mp4", numbered(20)).read_bytes()
    (tmp_path / "cut.mp4").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "codec.mp4").write_bytes(whole.replace(b"avc1", b"zzzz"))
    Image.new("RGB", (40, 40)).save(tmp_path / "cut.png")
    (tmp_path / "cut.png").write_bytes((tmp_path / "cut.png").read_bytes()[:60])
    cases = {
        "missing.mp4": "does not exist",
        "garbage.mp4": "neither a readable video nor",
        "empty.webm": "neither a readable video nor",
        "cut.mp4": "neither a readable video nor",
        "cut.png": "damaged",
        "codec.mp4": "format this PyAV cannot decode",
        "sound.wav": "has no video stream",
        "none": "has no images",
    }
    for name, message in cases.items():
        with pytest.raises(InputError, match=message) as caught:
            open_source(tmp_path / name)
        assert "\n" not in str(caught.value)


def test_damage_on_the_way_is_one_sentence(tmp_path, numbered, write_video):
    path = write_video(tmp_path / "x.mov", numbered(8), codec="png", layout="rgb24")
    pieces = path.read_bytes().split(b"IDAT")
    pieces[6] = bytes(40) + pieces[6][40:]  # the sixth frame's picture data
    path.write_bytes(b"IDAT".join(pieces))
    source = open_source(path)
    assert_numbered(source, [0, 3])
    with pytest.raises(InputError, match="damaged|cannot be decoded") as caught:
        list(source.pictures([0, 5]))
    assert "\n" not in str(caught.value)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), name=st.sampled_from(["a.gif", "a.webp", "a.mp4"]))
def test_changed_bytes_are_frames_or_one_sentence(data, name, files, tmp_path):
    content = bytearray(files[name])
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(content) - 1))
        content[place : place + 3] = data.draw(st.binary(min_size=3, max_size=3))
    (tmp_path / name).write_bytes(content[: data.draw(st.integers(len(content) // 2, len(content)))])
    try:
        source = open_source(tmp_path / name)
        for _, picture in source.pictures(range(len(source.times))):
            assert picture.dtype == np.uint8 and picture.shape[2] in (3, 4)
    except InputError as error:
        assert "\n" not in str(error)


@pytest.fixture(scope="module")
def files(cutouts, write_video, tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    first, *more = [Image.fromarray(frame) for frame in cutouts(3)]
    first.save(folder / "a.gif", save_all=True, append_images=more, duration=50)
    first.save(folder / "a.webp", save_all=True, append_images=more, duration=50)
    write_video(folder / "a.mp4", cutouts(3))
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def test_playlists_do_not_reach_out(tmp_path):
    playlist = "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nhttp://localhost:9/x.ts\n#EXT-X-ENDLIST\n"
    (tmp_path / "x.m3u8").write_text(playlist)
    with pytest.raises(InputError):
        open_source(tmp_path / "x.m3u8")
