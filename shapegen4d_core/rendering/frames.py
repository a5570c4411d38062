"""Pictures of a whole mesh sequence through one camera, a camera per picture, or the window of a clip."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from ..errors import InputError
from ..geometry.mesh import vertex_normals
from ..memory import require
from ..progress import Check, Progress, tick
from ..sequence import Camera, Clip, MeshSequence
from .shade import TEXTURED, Surface, check_style, render_surface
from .texture import texture_on
from .views import clip_camera, opencv_camera, sized_camera

PICTURE_BYTES = 16 * 3  # of a pixel, with room for the copies that follow


def render_sequence(
    sequence: MeshSequence,
    camera: Camera | Sequence[Camera],
    size: int | tuple[int, int] | None = None,
    style: str = "shaded",
    device: str | torch.device = "cpu",
    progress: Progress | None = None,
    check: Check | None = None,
    clip: Clip | None = None,
    supersampling: int = 2,
) -> Tensor:
    """Pictures [T,H,W,4] on the CPU, float 0..1, straight alpha, of every frame; empty frames are transparent.

    With a list of cameras there is one picture for each, and the frames start again after the last.
    ``size`` is (height, width) in pixels, one number for a square, None for the (first) camera's own. With a ``clip``
    the pictures are of the window of the plate that it shows, in the size of its frames.
    ``style`` is one of ``shade.STYLES``. Raises InputError for an unknown style, a missing texture or a bad size.
    """
    check_style(style, sequence.texture is not None)
    cameras = [camera] * sequence.frame_count if isinstance(camera, Camera) else list(camera)
    lenses, (height, width) = _lenses(cameras, size, clip)
    require(
        PICTURE_BYTES * len(cameras) * height * width,
        f"Drawing {len(cameras)} pictures of {width} x {height}",
        "lower width and height, or count",
    )
    surfaces = _Surfaces(sequence, style, device)
    pictures = torch.empty(len(cameras), height, width, 4)  # every one is drawn; zeros would be written first
    for number, lens in enumerate(lenses):
        surface = surfaces[number % sequence.frame_count]
        pictures[number] = render_surface(surface, *lens, (height, width), style, supersampling, check).cpu()
        tick(progress, check, number + 1, len(cameras))
    return pictures


def natural_style(sequence: MeshSequence) -> str:
    """"lit" for meshes with a texture, "shaded" for others."""
    return "shaded" if sequence.texture is None else "lit"


class _Surfaces:
    """Frames of a sequence on a device; the last one is kept."""

    def __init__(self, sequence: MeshSequence, style: str, device: str | torch.device) -> None:
        self._sequence, self._device = sequence, device
        self._uv = self._texture = self._last = None
        if style in TEXTURED:
            self._uv = torch.from_numpy(sequence.uv).to(device)
            self._texture = texture_on(sequence.texture, device)

    def __getitem__(self, frame: int) -> Surface:
        if self._last is None or self._last[0] != frame:
            vertices, faces = self._sequence.vertices[frame], self._sequence.faces[frame]
            if self._sequence.normals is not None:
                normals = self._sequence.normals[frame]
            else:
                normals = _smooth_normals(vertices, faces)
            arrays = (torch.from_numpy(array).to(self._device) for array in (vertices, faces, normals))
            self._last = (frame, Surface(*arrays, self._uv, self._texture))
        return self._last[1]


def _smooth_normals(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Unit normals [V,3], the same for all vertices at one place, so that seams of a texture are not seen in them."""
    places, number = np.unique(vertices, axis=0, return_inverse=True)
    number = number.reshape(-1)
    return vertex_normals(places, number[faces])[number]


def _lenses(
    cameras: list[Camera], size: int | tuple[int, int] | None, clip: Clip | None
) -> tuple[list[tuple[Tensor, Tensor, Tensor]], tuple[int, int]]:
    """K, R, t of every camera, and the (height, width) of the pictures."""
    if not cameras:
        raise InputError("No camera is given; give at least one.")
    if clip is not None and size is not None:
        raise InputError("Both a clip and a size are given; pictures for a clip have the size of its frames.")
    if clip is not None:
        return [clip_camera(camera, clip) for camera in cameras], tuple(clip.frames.shape[1:3])
    first = sized_camera(cameras[0], size)
    size = (first.height, first.width)
    return [opencv_camera(sized_camera(camera, size)) for camera in cameras], size
