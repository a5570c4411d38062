"""Reading the quality of a generated sequence without ground truth: steadiness, volume, pieces, fit to the video."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
import torch
from scipy.ndimage import distance_transform_edt
from torch import Tensor

from ..errors import InputError
from ..geometry.distances import tree_of
from ..geometry.mesh import area_vectors, components, enclosed_volume
from ..geometry.motion import jitter, volume_drift
from ..geometry.surface_points import choose_points
from ..progress import Check, Progress, tick
from ..sequence import Camera, Clip, MeshSequence
from .outlines import SEEN, overlap, silhouette

POINTS = 4096  # samples per frame; a still surface meshed anew each frame then reads about 0.001
REACH = 0.25  # half boxes; nearest points further apart than this belong to other parts of the surface
SEED = 0
GOOD_IOU, GOOD_WORST_IOU = 0.80, 0.65
BAD_FLICKER = 1.3
BAD_DRIFT = 0.25


@dataclass(frozen=True)
class Quality:
    """What can be read from a sequence alone, and from its silhouettes in the video when a camera is known.

    ``jitter``: mean size of the second temporal difference of the surface along its normals, half boxes, which is 0
    for even motion (and with fewer than three frames). ``volume_drift``: mean over frames of |V_t / V_1 - 1|.
    ``pieces`` [T]: connected components. ``silhouette_iou`` [T]: overlap with the video's masks, 0..1.
    ``flicker``: the second temporal difference of the outlines (as distance fields) over that of the video's; 1 is as
    lively as the video. The last two are None without a camera, and flicker is None when the masks never change.
    """

    jitter: float
    volume_drift: float
    pieces: tuple[int, ...]
    silhouette_iou: tuple[float, ...] | None = None
    flicker: float | None = None

    def to_dict(self) -> dict:
        """Plain values, for JSON."""
        return asdict(self)

    def hints(self) -> list[str]:
        """One sentence per value that is bad: what it means and what to try; empty when all is well."""
        return [*self.shape_hints(), *self.fit_hints()]

    def fit_hints(self) -> list[str]:
        """The hints that are about pose and silhouettes."""
        if self.silhouette_iou is None:
            return []
        mean, worst = float(np.mean(self.silhouette_iou)), int(np.argmin(self.silhouette_iou))
        if mean < GOOD_IOU:
            return [
                f"The silhouettes overlap the video by {mean:.2f} only, so pose or shape is off: look at the overlay, "
                "try another seed, or set the field of view of the camera that filmed."
            ]
        if self.silhouette_iou[worst] < GOOD_WORST_IOU:
            return [
                f"Frame {worst + 1} overlaps the video by {self.silhouette_iou[worst]:.2f} only: check its mask, and "
                "whether its shape departs from the other frames'."
            ]
        return []

    def shape_hints(self) -> list[str]:
        """The hints that are about the generated shapes and their steadiness."""
        found = []
        if 0 in self.pieces:
            found.append(f"Frame {self.pieces.index(0) + 1} is empty: raise the resolution or try another seed.")
        if self.flicker is not None and self.flicker > BAD_FLICKER:
            found.append(
                f"The silhouettes flicker {self.flicker:.1f} times as much as the video: use shared noise, an adapter, "
                "more steps, or frames closer in time."
            )
        if self.volume_drift > BAD_DRIFT:
            found.append(
                f"The volume is {100 * self.volume_drift:.0f} % off the first frame's on average: right for things "
                "that grow or melt, else use shared noise or another seed."
            )
        return found

    def figures(self) -> list[str]:
        """The values in words."""
        pieces = sorted(set(self.pieces))
        lines = []
        if self.silhouette_iou is not None:
            mean, worst = np.mean(self.silhouette_iou), np.min(self.silhouette_iou)
            flicker = "" if self.flicker is None else f", flicker {self.flicker:.2f} of the video's"
            lines.append(f"silhouette IoU {mean:.3f} in the mean, {worst:.3f} in the worst frame{flicker}")
        count = f"{pieces[0]}" if len(pieces) == 1 else f"{pieces[0]} to {pieces[-1]}"
        drift = f"{100 * self.volume_drift:.1f} %"
        return [*lines, f"jitter {self.jitter:.4f} half boxes, volume drift {drift}, pieces {count}"]

    def lines(self) -> list[str]:
        """The figures, followed by the hints."""
        return [*self.figures(), *(f"Hint: {hint}" for hint in self.hints())]


def read_quality(
    meshes: MeshSequence,
    clip: Clip | None = None,
    camera: Camera | None = None,
    progress: Progress | None = None,
    check: Check | None = None,
) -> Quality:
    """The quality of a sequence of any topology; with ``clip`` and ``camera`` of its pose also against the video.

    Jitter is read as follows: from points on frame t, the signed distances along normals to frames t-1 and t+1 are
    opposite when the surface moves evenly; the mean size of their sum is the jitter. Raises InputError when the clip
    and the meshes have different numbers of frames, or a camera comes without its clip.
    """
    if (clip is None) != (camera is None):
        raise InputError("Silhouettes need both the clip and the camera; give both or neither.")
    if clip is not None and len(clip.frames) != meshes.frame_count:
        raise InputError(
            f"The clip has {len(clip.frames)} frames and the sequence {meshes.frame_count}; give the clip that the "
            "sequence was generated from."
        )
    clouds, volumes, pieces, bends, drawn = [], [], [], [], []
    for index, (vertices, faces) in enumerate(zip(meshes.vertices, meshes.faces)):
        clouds = [*clouds[-2:], _OrientedPoints(vertices, faces) if len(faces) else None]
        volumes.append(abs(enclosed_volume(vertices, faces)))
        pieces.append(_piece_count(vertices, faces))
        if len(clouds) == 3 and all(cloud is not None for cloud in clouds):
            before, now, after = clouds
            bends.append(np.abs(now.height_of(before) + now.height_of(after)).clip(max=REACH).mean())
        if clip is not None:
            drawn.append(silhouette(vertices, faces, camera, clip))
        tick(progress, check, index + 1, meshes.frame_count)
    drift = volume_drift(np.asarray(volumes)) if volumes[0] > 0 else 0.0
    read = float(np.mean(bends)) if bends else 0.0, drift, tuple(pieces)
    if clip is None:
        return Quality(*read)
    masks = clip.frames[..., 3] > SEEN
    iou = tuple(overlap(first, second) for first, second in zip(drawn, masks))
    moved, wanted = _unevenness(torch.stack(drawn), check), _unevenness(masks, check)
    return Quality(*read, iou, moved / wanted if wanted > 0 else None)


def _piece_count(vertices: np.ndarray, faces: np.ndarray) -> int:
    """Connected components, seams of a texture sewn: vertices at one place count as one."""
    _, places = np.unique(vertices, axis=0, return_inverse=True)
    return components(places.reshape(-1)[faces], len(vertices))[0]


def _unevenness(masks: Tensor, check: Check | None) -> float:
    """Jitter of the distances to the outlines of masks bool [T,H,W]; three frames of them are in memory at a time."""
    fields, bends = [], []
    for mask in masks.numpy():
        tick(None, check, len(bends), len(masks))
        fields = [*fields[-2:], _distances(mask)]
        if len(fields) == 3:
            bends.append(jitter(np.stack(fields)))
    return float(np.mean(bends)) if bends else 0.0


def _distances(mask: np.ndarray) -> np.ndarray:
    """Signed distance [H,W] to the outline in pixels, positive inside, cut off at an eighth of the height."""
    limit = len(mask) / 8
    if mask.all() or not mask.any():  # no outline to be near to
        return np.full(mask.shape, limit if mask.all() else -limit)
    return distance_transform_edt(mask).clip(max=limit) - distance_transform_edt(~mask).clip(max=limit)


class _OrientedPoints:
    """Area-weighted points of one frame with the normals of their faces and a search tree."""

    def __init__(self, vertices: np.ndarray, faces: np.ndarray) -> None:
        places = choose_points(vertices, faces, POINTS, SEED)
        self.points = places.on(vertices, faces)
        vectors = area_vectors(vertices, faces)[places.face]
        self.normals = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-30)
        self.tree = tree_of(self.points)

    def height_of(self, other: _OrientedPoints) -> np.ndarray:
        """Signed distance [P] along this frame's normals from its points to the planes of the other's nearest ones."""
        _, nearest = other.tree.query(self.points)
        gap = other.points[nearest] - self.points
        beyond = other.normals[nearest]
        facing = (self.normals * beyond).sum(axis=1)
        to_plane = (gap * beyond).sum(axis=1) / np.maximum(facing, 0.3)
        return np.where(facing > 0.3, to_plane, (gap * self.normals).sum(axis=1))
