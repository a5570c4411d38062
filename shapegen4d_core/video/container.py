"""Video files through PyAV: only the wanted frames are kept, decoded from the nearest keyframes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from ..errors import InputError
from .notices import ClipWarning, warn
from .source import Source
from .timeline import Timeline, scan_packets, typical_length

HIGH_DEFINITION = 720  # rows from which untagged colours are BT.709, as players assume
UNTAGGED = 2  # ffmpeg's number for an unspecified colour space
ALPHA_DECODERS = {"vp8": "libvpx", "vp9": "libvpx-vp9"}  # the built-in decoders drop the alpha of WebM


class VideoSource(Source):
    """A video file. With a ``limit``, timing is read only as far as frame ``limit``.

    Raises InputError for files PyAV cannot open, without a video stream or without frames.
    """

    def __init__(self, path: Path, limit: int | None = None) -> None:
        super().__init__(path.name, np.zeros(0), 0.0)
        self._path = path
        self._decoder: str | None = None  # used instead of the decoder that PyAV would choose
        with self._opened() as container:
            stream = _picture_stream(container)
            self._alpha = self._find_alpha(stream)
            try:
                timeline = scan_packets(container, stream, limit)
            except av.error.FFmpegError as error:
                raise InputError(f"{self._path} is damaged ({error.strerror}); convert or replace it.") from error
        self._timeline = timeline or self._count_frames(limit)
        self.times, self.end = self._timeline.times, self._timeline.end

    def has_alpha(self, indices: Sequence[int]) -> bool:
        return self._alpha

    def _opened(self) -> av.container.InputContainer:
        options = {"protocol_whitelist": "file,crypto,data"}  # a playlist must not reach for the network
        try:
            container = av.open(str(self._path.absolute()), options=options, metadata_errors="replace")
        except (av.error.FFmpegError, OSError, ValueError) as error:
            told = f"{self._path} is neither a readable video nor a readable image; choose another file."
            raise InputError(told) from error
        stream = _picture_stream(container)
        if stream is None:
            container.close()
            raise InputError(f"{self._path} has no video stream; give a video, an image or a folder.")
        if stream.codec_context is None:
            container.close()
            raise InputError(f"{self._path} is in a format this PyAV cannot decode; convert it, for example to mp4.")
        stream.thread_type = "AUTO"
        return container

    def _find_alpha(self, stream: av.VideoStream) -> bool:
        codec = stream.codec_context.name
        if stream.metadata.get("alpha_mode") != "1" or codec not in ALPHA_DECODERS:
            layout = stream.codec_context.format
            return layout is not None and any(part.is_alpha for part in layout.components)
        if ALPHA_DECODERS[codec] in av.codecs_available:
            self._decoder = ALPHA_DECODERS[codec]
            return True
        warn(
            f"{self._path} has transparency, but this PyAV lacks the {ALPHA_DECODERS[codec]} decoder, "
            "so it is read as opaque; give a mask, or save it as animated WebP or a folder of PNG files.",
            ClipWarning,
        )
        return False

    def _frames(self, container: av.container.InputContainer) -> Iterator[av.VideoFrame]:
        stream = _picture_stream(container)
        own = av.CodecContext.create(self._decoder, "r") if self._decoder else None
        try:
            for packet in container.demux(stream):
                for frame in own.decode(packet) if own else packet.decode():
                    self.decoded += 1
                    yield frame
        except av.error.FFmpegError as error:
            raise InputError(
                f"{self._path} is damaged or in a format this PyAV cannot decode ({error.strerror}); "
                "set stop before the damage or convert the file."
            ) from error

    def _count_frames(self, limit: int | None) -> Timeline:
        """Timing by decoding from the start and keeping nothing, for streams whose packets do not tell."""
        times: list[float] = []
        with self._opened() as container:
            stream = _picture_stream(container)
            length = typical_length(np.zeros(0), stream)
            for frame in self._frames(container):
                times.append(len(times) * length if frame.time is None else frame.time)
                if limit is not None and len(times) > limit:
                    break
            if not times:
                raise InputError(f"{self._path} has no frame that can be decoded; convert the file.")
            starts = np.array(times) - times[0]
            return Timeline(starts, float(starts[-1]) + typical_length(starts, stream))

    def _decode(self, indices: Sequence[int]) -> Iterator[tuple[int, np.ndarray]]:
        with self._opened() as container:
            stream = _picture_stream(container)
            frames, reached, jumped = self._frames(container), -1, False
            for done, index in enumerate(indices):
                key, stamp = self._timeline.key_before(index)
                if key > reached + 1 and _seek(container, stream, stamp):
                    frames, jumped = self._frames(container), True
                frame, reached = self._advance(frames, reached, index)
                if reached == index:
                    yield index, frame_pixels(frame, self._alpha, stream.sample_aspect_ratio)
                elif jumped:  # the container's index misleads: go on without it
                    self._timeline = self._timeline.without_seeking()
                    yield from self._decode(indices[done:])
                    return
                else:
                    raise InputError(
                        f"Frame {index} of {self._path} cannot be decoded; "
                        "choose a range without it or convert the file."
                    )

    def _advance(
        self, frames: Iterator[av.VideoFrame], reached: int, index: int
    ) -> tuple[av.VideoFrame | None, int]:
        """Decode up to frame ``index``; gives it and its number, a later one if it is missing."""
        counted = self._timeline.stamps is None
        for frame in frames:
            reached = reached + 1 if counted else self._timeline.position(frame.pts)
            if reached >= index:
                return frame, reached
        return None, -1


def _seek(container: av.container.InputContainer, stream: av.VideoStream, stamp: int) -> bool:
    """Go to the keyframe at ``stamp``; False where the container cannot, and decoding just goes on."""
    try:
        container.seek(stamp, stream=stream)
    except av.error.FFmpegError:
        return False
    return True


def _picture_stream(container: av.container.InputContainer) -> av.VideoStream | None:
    """The first video stream that is not the cover picture of a music file."""
    for stream in container.streams.video:
        if not stream.disposition & av.stream.Disposition.attached_pic:
            return stream
    return None


def frame_pixels(frame: av.VideoFrame, alpha: bool, pixel_aspect: Fraction | None = None) -> np.ndarray:
    """A decoded frame as shown: upright, uint8 [H,W,3] or with ``alpha`` [H,W,4].

    Pixels ``pixel_aspect`` times as wide as high are made square by stretching the short side.
    """
    options: dict[str, str | int] = {"format": "rgba" if alpha else "rgb24"}
    if pixel_aspect and pixel_aspect > 1:
        options["width"] = round(frame.width * pixel_aspect)
    elif pixel_aspect and pixel_aspect < 1:
        options["height"] = round(frame.height / pixel_aspect)
    if int(frame.colorspace) == UNTAGGED and frame.height >= HIGH_DEFINITION:
        options["src_colorspace"] = "ITU709"
    picture = frame.to_ndarray(**options)
    return np.ascontiguousarray(np.rot90(picture, round(getattr(frame, "rotation", 0) / 90)))
