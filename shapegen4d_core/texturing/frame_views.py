"""What a frame of the clip shows of the surface: which texels are visible in it, where, and how well.

A texel counts when its point faces the camera and is not behind the surface drawn into a z-buffer. Its weight is the
product of cos^2 of the angle between normal and line of sight, of the picture's resolution there (1 / depth^2), of
the distance to the nearest outline (of the clip's alpha, of the drawn silhouette, or of a part in front of another),
and of the clip's alpha. N texels, M samples (texels seen in a frame), H x W pixels of the clip.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy.ndimage import distance_transform_edt
from torch import Tensor
from torch.nn.functional import grid_sample

from ..errors import InputError
from ..progress import Check, tick
from ..rendering.rasterise import rasterise
from ..rendering.samples import finer
from ..rendering.views import clip_camera
from ..sequence import Camera, Clip
from .colour import to_working
from .settings import TextureSettings
from .surface import Surface
from .texels import Texels

_ROWS = 1 << 19  # texels handled at once
_DEPTH_SIDE, _FINEST = 768, 4  # pixels the z-buffer has at least along the clip's longer side, and most per pixel
_STEEP = 8.0  # depth step between neighbouring pixels, in pixel widths, that counts as an outline
_RIM = 0.08  # weight at an outline: other frames are preferred, but what only the rim shows is used
SURE = 0.9  # alpha from which a pixel's colour is the object's own
_NEAREST = 0.25  # of the median depth: nearer surface weighs no more
_BEFORE = 1e-3  # half boxes in front of the camera from which surface can be seen
_GRAZING = 0.1  # cosine below which a surface is seen too flatly to be used


@dataclass(frozen=True, eq=False)
class Samples:
    """Texels ``row`` [M] int32 seen in a frame, their ``place`` [M,2] float32 in pixels (u, v), ``weight`` [M] 0..1."""

    row: np.ndarray
    place: np.ndarray
    weight: np.ndarray

    @property
    def nbytes(self) -> int:
        """Memory these samples take."""
        return self.row.nbytes + self.place.nbytes + self.weight.nbytes


class FrameViews:
    """The frames of a clip as a source of colours for the texels of a surface."""

    def __init__(
        self,
        surface: Surface,
        texels: Texels,
        clip: Clip,
        camera: Camera,
        settings: TextureSettings,
        check: Check | None = None,
    ) -> None:
        _check_frames(surface, clip)
        self.surface, self.texels, self.clip, self.settings = surface, texels, clip, settings
        self.intrinsics, self.rotation, self.translation = clip_camera(camera, clip)
        self.size = tuple(clip.frames.shape[1:3])
        self.frames = range(1 if settings.mode == "first frame" else len(clip.frames))
        self._kept: dict[int, Samples] = {}
        self._room = settings.cached_samples_mib << 20
        self._near = self._nearest_depth(check)

    def picture(self, frame: int) -> Tensor:
        """Colours of a frame [H,W,3], working values, the object's own spread over its soft border and beyond."""
        picture = self.clip.frames[frame]
        sure = picture[..., 3].numpy() >= SURE
        if not sure.any():
            return to_working(picture[..., :3], self.settings.linear_light)
        if not sure.all():
            rows, columns = distance_transform_edt(~sure, return_distances=False, return_indices=True)
            picture = picture[torch.from_numpy(rows).long(), torch.from_numpy(columns).long()]
        return to_working(picture[..., :3], self.settings.linear_light)

    def samples(self, frame: int, check: Check | None = None) -> Samples:
        """The texels a frame shows; kept in memory while there is room, computed again otherwise."""
        if frame in self._kept:
            return self._kept[frame]
        made = self._look(frame, check)
        if made.nbytes <= self._room:
            self._kept[frame] = made
            self._room -= made.nbytes
        return made

    def _nearest_depth(self, check: Check | None) -> float:
        """Depth at which the picture's resolution counts in full; a limb that reaches the camera does not set it."""
        depths = []
        for frame in self.frames:
            tick(None, check, frame, len(self.frames))
            depth = self._in_camera(self.surface.vertices(frame))[:, 2]
            depths.append((float(depth.min()), float(np.median(depth))))
        least, middle = np.min([low for low, _ in depths]), np.median([middle for _, middle in depths])
        return max(float(least), _NEAREST * float(middle), _BEFORE * self.surface.half_box)

    def _in_camera(self, points: np.ndarray) -> np.ndarray:
        return (points @ self.rotation.numpy().T + self.translation.numpy()).astype(np.float32)

    def _look(self, frame: int, check: Check | None) -> Samples:
        vertices = self._in_camera(self.surface.vertices(frame))
        normals = (self.surface.normals(frame) @ self.rotation.numpy().T).astype(np.float32)
        scene = _Scene(self, vertices, self.clip.frames[frame, ..., 3])
        parts = []
        for start in range(0, len(self.texels), _ROWS):
            tick(None, check, start, len(self.texels))
            rows = np.arange(start, min(start + _ROWS, len(self.texels)))
            parts.append(self._seen(rows, vertices, normals, scene))
        return Samples(*(np.concatenate(column) for column in zip(*parts)))

    def _seen(
        self, rows: np.ndarray, vertices: np.ndarray, normals: np.ndarray, scene: _Scene
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        faces = self.surface.faces
        points = self.texels.mix(vertices, faces, rows)
        directions = self.texels.mix(normals, faces, rows)
        sight = np.linalg.norm(points, axis=1) * np.maximum(np.linalg.norm(directions, axis=1), 1e-12)
        cosine = -(points * directions).sum(axis=1) / sight
        if not self.surface.closed:
            cosine = np.abs(cosine)  # an open sheet shows both sides
        ahead = np.flatnonzero((cosine > _GRAZING) & (points[:, 2] > _BEFORE * self.surface.half_box))
        points, cosine = points[ahead], cosine[ahead]
        place = points[:, :2] / points[:, 2:] * scene.focal + scene.centre
        depth, border, alpha = scene.at(place)
        tangent = np.sqrt(1 - np.minimum(cosine, 1) ** 2) / cosine
        behind = points[:, 2] - depth
        tolerance = self.settings.depth_tolerance * self.surface.half_box
        visible = behind < tolerance + points[:, 2] / scene.focal[0] * tangent
        weight = cosine**2 * np.minimum(self._near / points[:, 2], 1) ** 2 * border * alpha * visible
        kept = weight > 1e-4
        return rows[ahead[kept]].astype(np.int32), place[kept].astype(np.float32), weight[kept].astype(np.float32)


class _Scene:
    """Depth, border and alpha of one frame, ready to be read at places in pixels."""

    def __init__(self, views: FrameViews, vertices: np.ndarray, alpha: Tensor) -> None:
        self.height, self.width = views.size
        self.focal = views.intrinsics.diagonal()[:2].numpy().astype(np.float32)
        self.centre = views.intrinsics[:2, 2].numpy().astype(np.float32)
        factor = min(_FINEST, max(1, round(_DEPTH_SIDE / max(views.size))))
        fine, size = finer(views.intrinsics, views.size, factor)
        identity, nothing = torch.eye(3, dtype=torch.float64), torch.zeros(3, dtype=torch.float64)
        faces = torch.from_numpy(views.surface.faces)
        depth = rasterise(torch.from_numpy(vertices), faces, fine, identity, nothing, size).depth
        band = views.settings.border_pixels
        inner = _from_outline(depth.numpy(), float(self.focal[0]) * factor, band * factor)
        outer = _from_outline(np.where(alpha.numpy() > 0.5, 1.0, -1.0), 1.0, band)
        self.depth = torch.where(depth > 0, depth, torch.inf)[None, None]
        self.border = torch.from_numpy(inner)[None, None]
        self.picture = torch.stack([torch.from_numpy(outer), alpha])[None]

    def at(self, place: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Depth, border weight and alpha [M] at places [M,2]; alpha is 0 outside the picture."""
        grid = torch.from_numpy(place / np.array([self.width, self.height], np.float32) * 2 - 1)[None, None]
        depth = grid_sample(self.depth, grid, mode="nearest", align_corners=False, padding_mode="border")
        inner = grid_sample(self.border, grid, align_corners=False, padding_mode="border")
        outer, alpha = grid_sample(self.picture, grid, align_corners=False, padding_mode="border")[0, :, 0]
        inside = (grid.abs() <= 1).all(dim=-1)[0, 0]
        border = torch.minimum(inner[0, 0, 0], outer)
        return depth[0, 0, 0].numpy(), border.numpy(), (alpha * inside).numpy()


def read(picture: Tensor, place: np.ndarray) -> np.ndarray:
    """Colours [M,C] of a picture [H,W,C] at places [M,2] in pixels, bicubic, float32; the rim is repeated."""
    height, width = picture.shape[:2]
    grid = torch.from_numpy(place / np.array([width, height], np.float32) * 2 - 1)[None, None]
    image = picture.permute(2, 0, 1)[None]
    found = grid_sample(image, grid, mode="bicubic", align_corners=False, padding_mode="border")
    return found[0, :, 0].T.contiguous().numpy()


def _from_outline(depth: np.ndarray, focal: float, band: float) -> np.ndarray:
    """Weight [H,W] growing with the square of the distance to the nearest outline: _RIM at it, 1 ``band`` pixels away.

    An outline is where nothing is drawn (depth below 0) begins, or where depth jumps between neighbours.
    """
    inside = depth > 0
    edge = ~inside
    step = _STEEP * np.where(inside, depth, 0) / focal
    for axis in (0, 1):
        here, there = [slice(None)] * 2, [slice(None)] * 2
        here[axis], there[axis] = slice(1, None), slice(None, -1)
        here, there = tuple(here), tuple(there)
        jump = np.abs(depth[here] - depth[there]) > np.maximum(step[here], step[there])
        edge[here] |= jump
        edge[there] |= jump
    if band <= 0 or not edge.any():
        return inside.astype(np.float32)
    distance = distance_transform_edt(~edge)
    return (((distance - 0.5) / band).clip(_RIM**0.5, 1) ** 2 * inside).astype(np.float32)


def _check_frames(surface: Surface, clip: Clip) -> None:
    if len(surface.original) != len(clip.frames):
        raise InputError(
            f"The clip {clip.name!r} has {len(clip.frames)} frames and the mesh sequence {len(surface.original)}; give "
            "the clip the meshes were made from."
        )
    if not bool((clip.frames[..., 3] >= SURE).any()):
        raise InputError(f"The clip {clip.name!r} has an empty mask, so no frame shows the object; check its alpha.")
