"""Values of the host: a 3D file and a video."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any


class Types:
    """Namespace as in the host."""

    class File3D:
        """A 3D file on disk."""

        def __init__(self, source: str, file_format: str) -> None:
            self.source, self.format = source, file_format

        def get_source(self) -> str:
            """Path of the file."""
            return self.source

        @property
        def is_disk_backed(self) -> bool:
            """Whether the file lies on the disk, not in memory."""
            return isinstance(self.source, str)

        def save_to(self, path: str) -> str:
            """Write what is kept in memory."""
            Path(path).write_bytes(self.source.getvalue())
            return path


    class MESH:
        """A batch of meshes, perhaps filled up to one size, as in the oldest host: newer ones take more arguments."""

        def __init__(
            self, vertices: Any, faces: Any, uvs: Any = None, vertex_colors: Any = None, texture: Any = None,
            vertex_counts: Any = None, face_counts: Any = None,
        ) -> None:  # fmt: skip
            assert (vertex_counts is None) == (face_counts is None)
            self.vertices, self.faces, self.uvs, self.vertex_colors = vertices, faces, uvs, vertex_colors
            self.texture, self.vertex_counts, self.face_counts = texture, vertex_counts, face_counts


@dataclass
class Components:
    """Decoded frames of a video."""

    images: Any
    frame_rate: Fraction
    alpha: Any = None
    audio: Any = None


class InputImpl:
    """Namespace as in the host."""

    class VideoFromFile:
        """A video in a file, optionally trimmed (seconds)."""

        def __init__(self, source: str, start_time: float = 0.0, duration: float = 0.0, images: Any = None) -> None:
            self.source, self.window, self.images = source, (start_time, duration), images

        def get_stream_source(self) -> str:
            """Path of the file."""
            return self.source

        def get_active_trim_window(self) -> tuple[float, float]:
            """Start and length in seconds; 0 and 0 is the whole file."""
            return self.window

        def get_components(self) -> Components:
            """What the host decodes of the trimmed part."""
            assert self.images is not None, "the host was asked to decode although the file can be read directly"
            return Components(self.images, Fraction(10))

    class VideoFromComponents:
        """A video made of frames in memory, as the host's Create Video makes it."""

        def __init__(self, components: Components) -> None:
            self.components = components

        def get_stream_source(self) -> Any:
            """The host would encode the frames to a file first."""
            raise AssertionError("frames in memory were encoded only to be decoded again")

        def get_components(self) -> Components:
            """The frames as they are."""
            return self.components
