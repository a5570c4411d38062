"""The pose of a film's camera out of point maps: a network sees the film's picture beside known views of the mesh.

Published: paper A.1 stage 2 (V2M4). Which pixel shows which point of the mesh is known for the views, because they were
rendered, so the similarity between the network's space and the mesh's follows from those pairs in closed form and
robustly, instead of a search for nearest neighbours. The network's space is that of the first picture's camera, so the
film's camera follows in closed form too. The network guesses a lens and takes the middle of the picture for its
principal point; aiming the camera at the film's pixels afterwards puts in the film's own lens and window.
S pictures, the film's first, H x W pixels, P pairs.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Protocol

import numpy as np
import torch
from scipy.ndimage import binary_erosion
from torch import Tensor
from torch.nn.functional import interpolate, pad

from ..errors import InputError
from ..geometry.aiming import aim_camera
from ..geometry.icp import CloudPair, similarity_icp
from ..geometry.robust_alignment import AGREES, RobustFit, fit_robust_similarity
from ..geometry.similarity import Similarity
from ..progress import Check, Progress
from ..rendering.raster import Raster

PAIRS_AT_MOST = 20_000
POLISH_POINTS = 3_000
BORDER_PIXELS = 2
"""How far pixels at an outline are left out: their points lie between object and background."""
TRUST = 10.0
"""Most a pair counts, in times the median confidence."""
FEWEST_PIXELS = 16
SIDES = {False: 518, True: 280}
"""Pixels per side of what the network sees, by whether it runs on a CPU."""


class PointMaps(Protocol):
    """A network that gives every pixel of several pictures of one thing a place in one common space."""

    def __call__(
        self, pictures: Tensor, progress: Progress | None = None, check: Check | None = None
    ) -> tuple[Tensor, Tensor]:
        """Points [S,H,W,3] in OpenCV axes of the first picture's camera, and confidence [S,H,W], on the CPU.

        ``pictures``: [S,H,W,4] in 0..1, straight alpha.
        """
        ...


class VGGTPointMaps:
    """VGGT as :class:`PointMaps`: pictures over one colour, made square, resized to ``side`` pixels, maps brought back.

    ``network``: :class:`shapegen4d_core.models.vggt.VGGT` or anything called like it, on ``device``. background: grey
    value 0..1 behind and around the object; V2M4 feeds black, VGGT's own preparation white. side: 518 is what the
    network was made for; None takes that on a GPU and 280 on a CPU, where time grows at least with its square.
    """

    def __init__(self, network: Any, device: Any = "cpu", side: int | None = None, background: float = 0.0) -> None:
        patch = network.config.patch
        side = SIDES[torch.device(device).type == "cpu"] if side is None else side
        if side < patch or side % patch:
            raise InputError(f"side is {side} pixels; VGGT takes multiples of {patch}.")
        self.network, self.device, self.side, self.background = network, device, side, background

    def __call__(
        self, pictures: Tensor, progress: Progress | None = None, check: Check | None = None
    ) -> tuple[Tensor, Tensor]:
        """See :class:`PointMaps`. Raises InputError for pictures of another shape."""
        if pictures.ndim != 4 or pictures.shape[-1] != 4 or not pictures.numel():
            raise InputError(f"Point maps take pictures [S,H,W,4]; given are {list(pictures.shape)}.")
        prepared, frame = self._square(pictures)
        with torch.no_grad():
            out = self.network(prepared[None].to(self.device), progress=progress, check=check)
        maps = torch.cat([out.points, out.confidence[..., None]], dim=-1).float().cpu()
        rows, columns = frame.sources(self.side)
        maps = maps[:, rows][:, :, columns]
        return maps[..., :3], maps[..., 3]

    def _square(self, pictures: Tensor) -> tuple[Tensor, _Frame]:
        """Pictures [S,3,side,side] and where the originals lie in them."""
        height, width = pictures.shape[1:3]
        frame = _Frame(height, width)
        alpha = pictures[..., 3:]
        colours = (pictures[..., :3] * alpha + self.background * (1 - alpha)).permute(0, 3, 1, 2)
        left, top, longest = frame.left, frame.top, frame.longest
        margins = (left, longest - width - left, top, longest - height - top)
        square = pad(colours, margins, value=self.background)
        if longest == self.side:
            return square, frame
        size = (self.side, self.side)
        return interpolate(square, size, mode="bicubic", antialias=True, align_corners=False).clamp(0, 1), frame


@dataclass(frozen=True)
class _Frame:
    """Where a picture of ``height`` x ``width`` lies in the square around it."""

    height: int
    width: int

    @property
    def longest(self) -> int:
        return max(self.height, self.width)

    @property
    def left(self) -> int:
        return (self.longest - self.width) // 2

    @property
    def top(self) -> int:
        return (self.longest - self.height) // 2

    def sources(self, side: int) -> tuple[Tensor, Tensor]:
        """Row and column of the resized square nearest to each row and column of the picture.

        Nearest and not blended: between object and background there is no point.
        """
        ratio = side / self.longest
        rows = (torch.arange(self.height) + self.top + 0.5) * ratio
        columns = (torch.arange(self.width) + self.left + 0.5) * ratio
        return rows.long().clamp(max=side - 1), columns.long().clamp(max=side - 1)


def rendered_points(vertices: Tensor, faces: Tensor, raster: Raster) -> tuple[Tensor, Tensor]:
    """Points [...,H,W,3] of a mesh [V,3], [F,3] under the pixels of its views, and where there are any [...,H,W].

    Taken from faces and barycentric weights, so that no pixel mixes object and background.
    """
    mask = raster.face_id >= 0
    corners = vertices[faces.long()[raster.face_id.clamp(min=0)]]  # [...,H,W,3 corners,3]
    return (raster.barycentric[..., None].to(corners) * corners).sum(dim=-2), mask


@dataclass(frozen=True)
class PointMapReport:
    """How a pose from point maps was found.

    pairs: points of the views that were used; agreement: part 0..1 of them the similarity explains; median_distance:
    of those pairs, in half boxes; scale: half boxes per unit of the network; start_pixels and pixels: median distance
    between the film's points and their pixels in closed form and after aiming; turned_degrees: rotation between the
    two.
    """

    pairs: int
    agreement: float
    median_distance: float
    scale: float
    start_pixels: float
    pixels: float
    turned_degrees: float

    def to_dict(self) -> dict[str, float]:
        """JSON-able fields."""
        return asdict(self)


def pose_from_point_maps(
    points: Tensor,
    confidence: Tensor,
    view_points: Tensor,
    view_masks: Tensor,
    reference_mask: Tensor,
    intrinsics: Tensor,
    polish: bool = False,
    seed: int = 0,
) -> tuple[np.ndarray, np.ndarray, PointMapReport]:
    """R [3,3] and t [3] (``x_camera = R @ x + t``, OpenCV) of the film's camera in the mesh's space, and a report.

    points [S,H,W,3], confidence [S,H,W]: of the network, the film's picture first; view_points [S-1,H,W,3] and
    view_masks [S-1,H,W]: the mesh's true points under the other pictures (:func:`rendered_points`);
    reference_mask [H,W]: the object in the film's picture; intrinsics [3,3]: the film's, in these pixels.
    polish: improve the similarity by closest points between both clouds as well (the paper's Chamfer term); with pairs
    known pixel by pixel this made rotations worse in every simulation tried.
    Raises InputError when a mask holds too few pixels or shapes do not fit.
    """
    _check(points, confidence, view_points, view_masks, reference_mask)
    rng = np.random.default_rng(seed)
    trust = confidence.clamp(max=TRUST * float(confidence.median()))
    chosen = _choose(_inner(view_masks), rng, "views of the mesh show")
    source, target = _taken(points[1:], chosen), _taken(view_points, chosen)
    fit = fit_robust_similarity(source, target, _taken(trust[1:], chosen))
    similarity = _polished(fit, source, target, rng) if polish else fit.transform
    seen = _choose(_inner(reference_mask[None]), rng, "film's picture shows")
    placed, pixels = similarity(_taken(points[:1], seen)), np.stack([seen[2] + 0.5, seen[1] + 0.5], axis=1)
    turn = similarity.rotation.T
    start, aimed = aim_camera(
        placed, pixels, _array(intrinsics), turn, -(turn @ similarity.translation), _taken(trust[:1], seen)
    )
    report = PointMapReport(
        len(source),
        fit.inliers,
        fit.median_distance,
        similarity.scale,
        start.median_pixels,
        aimed.median_pixels,
        _degrees(start.rotation, aimed.rotation),
    )
    return aimed.rotation, aimed.translation, report


def _polished(fit: RobustFit, source: np.ndarray, target: np.ndarray, rng: np.random.Generator) -> Similarity:
    rows = rng.permutation(np.flatnonzero(fit.share >= AGREES))[:POLISH_POINTS]
    return similarity_icp(CloudPair(source[rows], target[rows]), fit.transform, kept=0.9)


def _inner(masks: Tensor) -> np.ndarray:
    """Masks [N,H,W] without the pixels at their outlines; a mask too thin for that as it is."""
    inner = []
    for mask in masks.cpu().numpy() > 0.5:
        core = binary_erosion(mask, iterations=BORDER_PIXELS)
        inner.append(core if core.sum() >= FEWEST_PIXELS else mask)
    return np.stack(inner)


def _choose(masks: np.ndarray, rng: np.random.Generator, what: str) -> tuple[np.ndarray, ...]:
    """Picture, row and column of at most PAIRS_AT_MOST pixels of masks [N,H,W]."""
    places = np.nonzero(masks)
    if len(places[0]) < FEWEST_PIXELS:
        raise InputError(f"The {what} {len(places[0])} pixels of the object; at least {FEWEST_PIXELS} are needed.")
    rows = np.sort(rng.permutation(len(places[0]))[:PAIRS_AT_MOST])
    return tuple(axis[rows] for axis in places)


def _taken(values: Tensor, places: tuple[np.ndarray, ...]) -> np.ndarray:
    """Float64 values [P,...] of maps [N,H,W,...] at the places."""
    return _array(values[tuple(torch.from_numpy(axis).to(values.device) for axis in places)])


def _array(values: Tensor) -> np.ndarray:
    return values.detach().double().cpu().numpy()


def _degrees(first: np.ndarray, second: np.ndarray) -> float:
    sine = np.linalg.norm(first - second) / np.sqrt(8)  # of half the angle
    return float(np.degrees(2 * np.arcsin(np.clip(sine, 0, 1))))


def _check(
    points: Tensor, confidence: Tensor, view_points: Tensor, view_masks: Tensor, reference_mask: Tensor
) -> None:
    shape = points.shape[:3]
    fits = (
        points.ndim == 4
        and confidence.shape == shape
        and view_masks.shape == (shape[0] - 1, *shape[1:])
        and view_points.shape == (*view_masks.shape, 3)
        and reference_mask.shape == shape[1:]
    )
    if not fits:
        given = ", ".join(str(list(x.shape)) for x in (points, confidence, view_points, view_masks, reference_mask))
        raise InputError(
            "Point maps [S,H,W,3] with confidence [S,H,W] need true points [S-1,H,W,3], their masks [S-1,H,W] and the "
            f"mask [H,W] of the film's picture; given are {given}."
        )
