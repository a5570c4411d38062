"""Rendered pictures to files people can play: MP4, WebP, GIF, a folder of PNG or one contact sheet.

Every file is written whole or not at all, and so is the folder.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from fractions import Fraction
from functools import partial
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ..errors import InputError
from ..progress import Check, Progress, look, tick
from ..storage import atomic_folder, atomic_path, suffix_of
from .contact_sheet import contact_sheet, save_png
from .watched_file import WatchedFile

SUFFIXES = (".mp4", ".webp", ".gif", ".png")
_WHOLE = 18  # constant rate factor of H.264: no loss that is seen
_LONGEST = 60.0  # seconds that one picture of an animated image may stand


def save_pictures(
    pictures: Tensor,
    path: str | os.PathLike,
    fps: float,
    columns: int | None = None,
    progress: Progress | None = None,
    check: Check | None = None,
) -> None:
    """Write ``pictures`` [T,H,W,3|4] float 0..1 (straight alpha) as what the name says, at ``fps`` per second.

    ``.mp4`` (H.264, opaque, even sides), ``.webp`` and ``.gif`` play in a loop, ``.png`` is a contact sheet with
    ``columns`` per row, and a name without a suffix is a new folder of numbered PNG files. WebP and PNG keep alpha,
    GIF rounds it to 0 or 1. Raises InputError for another name, a rate that is not positive, a size MP4 cannot hold or
    alpha in an MP4.
    """
    path = Path(path)
    writer = check_request(path, fps, columns)
    if pictures.dim() != 4 or pictures.shape[3] not in (3, 4) or pictures.numel() == 0:
        raise InputError(f"The pictures have shape {list(pictures.shape)}, accepted is [T,H,W,3 or 4].")
    _check_finite(pictures, check)
    if path.suffix.lower() == ".png":
        save_png(contact_sheet([pictures], columns=columns, check=check), path, check)
        return
    frames = _bytes(pictures, check)
    try:
        writer(frames, path, fps, _Steps(progress, check, len(frames)))
    except OSError as error:
        raise InputError(f"Cannot write {path}: {error}.") from error


def _check_finite(pictures: Tensor, check: Check | None) -> None:
    for number, picture in enumerate(pictures, start=1):
        if not all(math.isfinite(end) for end in torch.aminmax(picture)):
            raise InputError(f"Picture {number} has values that are not finite (NaN or infinity); give 0..1.")
        look(check)


def _bytes(pictures: Tensor, check: Check | None) -> np.ndarray:
    """Pictures as uint8, rounded, one after the other; ``check`` may raise between them."""
    frames = np.empty(tuple(pictures.shape), np.uint8)
    for number, picture in enumerate(pictures):
        frames[number] = (picture.clamp(0, 1) * 255).round().byte().numpy()
        look(check)
    return frames


class _Steps:
    """Progress of a writer: it goes forward only, and ``look`` may be called at any time to let the caller cancel."""

    def __init__(self, progress: Progress | None, check: Check | None, total: int) -> None:
        self._progress, self._check, self._total, self._done = progress, check, total, 0

    def __call__(self, done: int) -> None:
        if done > self._done:
            self._done = done
            tick(self._progress, None, done, self._total)
        self.look()

    def look(self) -> None:
        look(self._check)


Writer = Callable[[np.ndarray, Path, float, _Steps], None]


def check_request(path: str | os.PathLike, fps: float, columns: int | None = None) -> Writer | None:
    """What writes ``path``; raises InputError for what :func:`save_pictures` would refuse, before anything is drawn."""
    if not (math.isfinite(fps) and fps > 0):
        raise InputError(f"fps is {fps:g}, accepted is a positive number of pictures per second.")
    if columns is not None and columns < 1:
        raise InputError(f"columns is {columns}, accepted is at least 1.")
    return _writer(Path(path))


def _writer(path: Path) -> Writer | None:
    suffix = suffix_of(path)
    if suffix and suffix not in SUFFIXES:
        raise InputError(f"{path} ends in {suffix}; accepted are {', '.join(SUFFIXES)}, or a folder for PNG files.")
    if not path.parent.is_dir():
        raise InputError(f"Cannot write {path}: the folder {path.parent} does not exist; create it first.")
    if not suffix and (path.is_file() or (path.is_dir() and any(path.iterdir()))):
        raise InputError(f"{path} is there already; give the name of a new folder for the PNG files.")
    return {".mp4": _mp4, ".webp": _webp, ".gif": _gif, "": _folder}.get(suffix)


def _mp4(frames: np.ndarray, path: Path, fps: float, done: _Steps) -> None:
    import av

    height, width, channels = frames.shape[1:]
    if height % 2 or width % 2:
        raise InputError(f"The pictures are {width} x {height} pixels; MP4 needs even sides, choose another size.")
    if channels == 4 and any(frame[..., 3].min() < 255 for frame in frames):
        raise InputError("The pictures are transparent, which MP4 cannot hold; choose a background or .webp.")
    with atomic_path(path) as temporary:
        with av.open(str(temporary), "w", format="mp4", options={"movflags": "faststart"}) as file:
            stream = file.add_stream("libx264", rate=Fraction(fps).limit_denominator(1001))
            stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
            stream.options = {"crf": str(_WHOLE)}
            written = 0
            for frame in (*frames, None):  # the encoder is many pictures behind; None asks for them
                colour = None if frame is None else np.ascontiguousarray(frame[..., :3])
                shown = None if frame is None else av.VideoFrame.from_ndarray(colour, format="rgb24")
                for packet in stream.codec_context.encode_lazy(shown):
                    packet.stream = stream
                    file.mux(packet)
                    written += 1
                    done(written)
                done.look()


def _webp(frames: np.ndarray, path: Path, fps: float, done: _Steps) -> None:
    images = _reported(frames, done)
    with atomic_path(path) as temporary:
        images[0].save(
            temporary, "WEBP", save_all=True, append_images=images[1:], duration=_durations(fps, images, 1), loop=0,
            quality=90,
        )
        done(len(images))


def _gif(frames: np.ndarray, path: Path, fps: float, done: _Steps) -> None:
    images = _reported(frames, done)
    with atomic_path(path) as temporary, WatchedFile(temporary, done.look) as file:
        images[0].save(
            file, "GIF", save_all=True, append_images=images[1:], duration=_durations(fps, images, 10), loop=0,
            disposal=2,
        )
        done(len(images))


def _reported(frames: np.ndarray, done: _Steps) -> list[Image.Image]:
    """Images whose number is reported when the writer turns to them, which is also when it may be stopped.

    Pillow looks for the first picture inside every image it is given, right before it encodes it.
    """
    images = [Image.fromarray(frame) for frame in frames]
    for number, image in enumerate(images):
        image.seek = partial(_turned_to, done, number)
    return images


def _turned_to(done: _Steps, number: int, frame: int) -> None:
    if frame:
        raise EOFError(f"There is no picture {frame} in a still image.")
    done(number)


def _durations(fps: float, images: list[Image.Image], unit: int) -> list[int]:
    """Milliseconds each picture stands, in multiples of ``unit`` whose sum stays with the true time."""
    if 1 / fps > _LONGEST:
        raise InputError(f"fps is {fps:g}; accepted for an animated image is at least {1 / _LONGEST:.3g}.")
    ends = np.round(np.arange(len(images) + 1) * 1000 / fps / unit).astype(int) * unit
    return np.maximum(np.diff(ends), unit).tolist()


def _folder(frames: np.ndarray, path: Path, fps: float, done: _Steps) -> None:
    with atomic_folder(path) as temporary:
        for number, frame in enumerate(frames):
            Image.fromarray(frame).save(temporary / f"{number + 1:05}.png")
            done(number + 1)
