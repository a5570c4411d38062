"""Tiny files written on the fly, whose frames say which frame they are."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
import pytest


def _numbered(count, height=48, width=64, step=8):
    """RGBA frames: a grey of level ``step`` * number fills the picture, a red square moves right; opaque."""
    frames = np.zeros((count, height, width, 4), np.uint8)
    for index in range(count):
        frames[index, ..., :3] = step * index
        frames[index, 10:30, 5 + index % 30 : 25 + index % 30, :3] = (200, 40, 20)
    frames[..., 3] = 255
    return frames


def _cutouts(count, height=48, width=64, shift=1):
    """RGBA frames: a 20 x 20 red square that moves right by ``shift`` pixels, on transparent black."""
    frames = np.zeros((count, height, width, 4), np.uint8)
    for index in range(count):
        frames[index, 14:34, 8 + shift * index : 28 + shift * index] = (200, 40, 20, 255)
    return frames


def _write_video(path, frames, codec="libx264", layout="yuv420p", rate=10, stamps=None, options=None, setup=None):
    """Encode RGBA ``frames``; ``stamps`` are presentation times in 1/1000 s, otherwise the rate is constant."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate)
        stream.height, stream.width, stream.pix_fmt = frames.shape[1], frames.shape[2], layout
        stream.options = options or {}
        if stamps is not None:
            stream.codec_context.time_base = Fraction(1, 1000)
        if setup is not None:
            setup(stream)
        for index, picture in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(picture, format="rgba")
            frame.pts = index if stamps is None else stamps[index]
            if stamps is not None:
                frame.time_base = Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


@pytest.fixture(scope="session")
def numbered():
    return _numbered


@pytest.fixture(scope="session")
def cutouts():
    return _cutouts


@pytest.fixture(scope="session")
def write_video():
    return _write_video
