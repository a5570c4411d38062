"""What a pose is judged on: simplified meshes, and the clip's outlines and brightness at several sizes.

Only frames in which both a mesh and the object in the picture exist take part, and of those at most 64, spread over
the clip: they share one pose. Pictures are cut to one square window
around the object in all frames, so that what a pose is judged on does not depend on how large the object is filmed.
T' frames that take part, N poses, S x S pixels of the window, h x w of a level of it. All arithmetic is on one device;
outlines of a level are means over the pixels they merge.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor

from ...errors import InputError
from ...geometry.decimate import decimate
from ...geometry.mesh import vertex_normals
from ...progress import Check
from ...rendering.raster import Raster
from ...rendering.rasterise import rasterise_views
from ...rendering.views import clip_camera
from ...sequence import Camera, Clip, MeshSequence
from ..outlines import SEEN
from .poses import rigid
from .window import Window, cut, known, resized, window_of

_LUMINANCE = (0.2126, 0.7152, 0.0722)
_COARSE_LEVEL = 64  # pixels; levels up to this are drawn with fewer faces
_COARSE_FACES = 1200
_MOST_FRAMES = 64  # of a clip that take part, so that memory and time do not grow with its length
_PIXELS_AT_ONCE = 1 << 18  # of all views of one call of the rasteriser: a cancel waits for no more


@dataclass(frozen=True, eq=False)
class Shape:
    """One frame's mesh on the device: vertices [V,3], faces [F,3] int64, unit vertex normals [V,3]."""

    vertices: Tensor
    faces: Tensor
    normals: Tensor


@dataclass(frozen=True, eq=False)
class Level:
    """The clip at one size: K [3,3], outline [T',h,w] 0..1, luminance [T',h,w], and where the plate is [h,w]."""

    intrinsics: Tensor
    outline: Tensor
    luminance: Tensor
    plate: Tensor
    coarse: bool

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return tuple(self.outline.shape[1:])


@dataclass(frozen=True, eq=False)
class Scene:
    """Meshes and clip as the search sees them.

    ``used`` are the clip's frames that take part, in order; ``paired`` all that have both a mesh and an outline.
    """

    shapes: tuple[Shape, ...]  # T'
    coarse_shapes: tuple[Shape, ...]  # T'
    used: tuple[int, ...]
    paired: tuple[int, ...]
    pivot: Tensor  # [3] float64
    pictures: Tensor  # [T',S,S,4] colour times alpha, and alpha
    plate: Tensor  # [S,S]
    window: Window
    clip: Clip
    fov_degrees: float
    check: Check | None = None
    _levels: dict[int, Level] = field(default_factory=dict, repr=False)

    def level(self, longest: int) -> Level:
        """The window with ``longest`` pixels a side (pixels are repeated beyond its own); kept for the next call."""
        if longest not in self._levels:
            self._levels[longest] = self._resized(longest)
        return self._levels[longest]

    def at_fov(self, fov_degrees: float) -> Scene:
        """The same scene through another lens."""
        return replace(self, fov_degrees=fov_degrees, _levels={})

    def spread(self, count: int | None) -> list[int]:
        """Positions (0..T'-1) of at most ``count`` frames spread evenly, the first among them; None takes all."""
        return _spread(len(self.used), count or len(self.used))

    def raster(self, poses: Tensor, frame: int, level: Level) -> Raster:
        """What every pixel shows of the mesh of ``frame`` (0..T'-1) under poses [N,6]: fields [N,h,w]."""
        shape = self.shape(frame, level)
        turn, shift = rigid(poses.double(), self.pivot)
        chunk = max(1, _PIXELS_AT_ONCE // (level.size[0] * level.size[1]))
        views = []
        for r, t in zip(turn.split(chunk), shift.split(chunk)):
            if self.check is not None:
                self.check()
            views.append(rasterise_views(shape.vertices, shape.faces, level.intrinsics, r, t, level.size))
        if len(views) == 1:
            return views[0]
        fields = (torch.cat([getattr(view, name) for view in views]) for name in ("face_id", "barycentric", "depth"))
        return Raster(*fields)

    def shape(self, frame: int, level: Level) -> Shape:
        """The mesh that :meth:`raster` draws."""
        return (self.coarse_shapes if level.coarse else self.shapes)[frame]

    def _resized(self, size: int) -> Level:
        clip, share = self.clip, size / self.window.side
        plate_size = clip.source_size if clip.crop and clip.source_size else clip.frames.shape[1:3]
        camera = Camera(0.0, 0.0, 1.0, (0.0, 0.0, 0.0), self.fov_degrees, int(plate_size[1]), int(plate_size[0]))
        k = clip_camera(camera, clip)[0].to(self.pictures.device)
        shift = [[share, 0, -self.window.left * share], [0, share, -self.window.top * share], [0, 0, 1]]
        pictures = resized(self.pictures, size)
        outline = pictures[..., 3].contiguous()
        luminance = pictures[..., :3] @ pictures.new_tensor(_LUMINANCE) / outline.clamp(min=1e-3)
        plate = resized(self.plate[None, ..., None], size)[0, ..., 0] > 0.5
        return Level(k.new_tensor(shift) @ k, outline, luminance, plate, size <= _COARSE_LEVEL)


def build_scene(
    meshes: MeshSequence,
    clip: Clip,
    fov_degrees: float,
    max_faces: int,
    device: torch.device | str = "cpu",
    check: Check | None = None,
) -> Scene:
    """Pair meshes and pictures frame by frame; raises InputError when there is nothing to pair."""
    _check_counts(meshes, clip)
    seen = (clip.frames[..., 3] > SEEN).flatten(1).any(dim=1).tolist()
    paired = tuple(t for t in range(meshes.frame_count) if seen[t] and len(meshes.faces[t]))
    if not paired:
        raise InputError(_nothing_shared(meshes, seen))
    used = tuple(paired[place] for place in _spread(len(paired), _MOST_FRAMES))
    fine, coarse = _shapes(meshes, used, max_faces, device, check)
    low, high = meshes.bounds().astype(np.float64)
    window = window_of(clip, used)
    return Scene(
        fine,
        coarse,
        used,
        paired,
        torch.from_numpy((low + high) / 2).to(device),
        cut(clip, used, window).to(device),
        known(clip, window).to(device),
        window,
        clip,
        float(fov_degrees),
        check,
    )


def _spread(total: int, count: int) -> list[int]:
    """At most ``count`` of 0..total-1, evenly spread, the first among them."""
    count = min(count, total)
    return sorted({round(step * (total - 1) / max(1, count - 1)) for step in range(count)})


def _shapes(
    meshes: MeshSequence, used: Sequence[int], max_faces: int, device: torch.device | str, check: Check | None
) -> tuple[tuple[Shape, ...], tuple[Shape, ...]]:
    fine, coarse = [], []
    for frame in used:
        if check is not None:
            check()
        vertices, faces = meshes.vertices[frame], meshes.faces[frame]
        for shapes, count in ((fine, max_faces), (coarse, min(max_faces, _COARSE_FACES))):
            vertices, faces = decimate(vertices, faces, count)
            normals = torch.from_numpy(vertex_normals(vertices, faces))
            arrays = (torch.from_numpy(vertices), torch.from_numpy(faces).long(), normals)
            shapes.append(Shape(*(array.to(device) for array in arrays)))
    return tuple(fine), tuple(coarse)


def _check_counts(meshes: MeshSequence, clip: Clip) -> None:
    if meshes.frame_count != len(clip.frames):
        raise InputError(
            f"The sequence has {meshes.frame_count} meshes and the clip {len(clip.frames)} frames; give the clip the "
            "meshes were made from, with one frame for each mesh."
        )
    if not any(len(faces) for faces in meshes.faces):
        raise InputError(f"All {meshes.frame_count} meshes of {meshes.name!r} are empty; there is nothing to place.")


def _nothing_shared(meshes: MeshSequence, seen: list[bool]) -> str:
    if not any(seen):
        return (
            "The clip's alpha is below one half everywhere, so there is no outline to place the meshes on; load the "
            "clip with a mask or matte of the object."
        )
    filled = [number + 1 for number, faces in enumerate(meshes.faces) if len(faces)]
    shown = [number + 1 for number, visible in enumerate(seen) if visible]
    return (
        f"The meshes have faces in frames {listed(filled)} but the clip shows the object in frames {listed(shown)}; "
        "at least one frame must have both."
    )


def listed(numbers: list[int]) -> str:
    """The first few of ``numbers`` in words."""
    return ", ".join(map(str, numbers[:8])) + (" ..." if len(numbers) > 8 else "")
