"""One colour per texel out of many frames: a weighted mean, frames that disagree losing weight, detail put back.

Weights are raised to a power, so that each texel takes its colour from the frames that see it best. Robust passes
then compare every sample with the mean found so far and weigh it by the Geman-McClure rule, so that frames whose mesh
does not lie on the picture lose. Detail passes re-render the frames and add what is missing (iterative
back-projection, Irani and Peleg 1991), which gives back what averaging and resampling blurred. Frames are read one
after the other; memory holds sums only. N texels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..progress import Check, Progress, look, tick
from ..rendering.textured import render_textured
from .colour import to_stored, to_working
from .frame_views import SURE, FrameViews, Samples, read
from .page import paint_page

_GAIN_SAMPLES = 1000  # a frame with fewer good samples keeps its brightness
_GAIN_LIMIT = 1.5
_SHARP = 0.1  # quality from which a texel gets all of the detail put back


@dataclass(frozen=True, eq=False)
class Observed:
    """What the clip says about texels: ``colour`` [N,3] working values, ``quality`` [N] 0..1 (0 unseen).

    Quality is the best weight of all frames times the share of the weight that agrees with the colour. ``gains``
    [T,3] are the brightnesses frames were divided by.
    """

    colour: np.ndarray
    quality: np.ndarray
    gains: np.ndarray


class _Sums:
    """Weighted sums per texel [N]: colours, weights, weights before disagreement counted, and the best weight."""

    def __init__(self, count: int) -> None:
        self.colour = np.zeros((count, 3), np.float32)
        self.weight, self.whole, self.best = (np.zeros(count, np.float32) for _ in range(3))

    def add(self, samples: Samples, colour: np.ndarray, weight: np.ndarray, agreement: np.ndarray) -> None:
        trusted = weight * agreement
        self.colour[samples.row] += colour * trusted[:, None]  # a texel occurs once per frame
        self.weight[samples.row] += trusted
        self.whole[samples.row] += weight
        self.best[samples.row] = np.maximum(self.best[samples.row], samples.weight)

    def mean(self) -> np.ndarray:
        return self.colour / np.maximum(self.weight, 1e-30)[:, None]

    def quality(self) -> np.ndarray:
        return self.best * self.weight / np.maximum(self.whole, 1e-30)


def observe(views: FrameViews, progress: Progress | None = None, check: Check | None = None) -> Observed:
    """Colours and quality of all texels from all frames of ``views``; deterministic."""
    settings, count = views.settings, len(views.texels)
    robust = settings.robust_passes if len(views.frames) > 1 else 0
    steps = _Steps(len(views.frames) * (1 + robust + settings.refine_passes), progress, check)
    gains = np.ones((len(views.frames), 3), np.float32)
    sums = _mean_pass(views, None, gains, steps)
    for _ in range(robust):
        if settings.match_gain:
            gains = _gains(views, sums.mean(), gains, check)
        sums = _mean_pass(views, sums.mean(), gains, steps)
    colour, quality = sums.mean(), sums.quality()
    del sums
    for _ in range(settings.refine_passes):
        share = (quality / _SHARP).clip(0, 1)[:, None]  # what is seen at a slant would gain noise
        colour = (colour + share * _detail_pass(views, colour, quality > 0, gains, steps)).clip(0, 1)
    return Observed(colour.reshape(count, 3), quality, gains)


class _Steps:
    def __init__(self, total: int, progress: Progress | None, check: Check | None) -> None:
        self.done, self.total, self.progress, self.check = 0, total, progress, check

    def next(self) -> None:
        self.done += 1
        tick(self.progress, self.check, self.done, self.total)


def _mean_pass(views: FrameViews, reference: np.ndarray | None, gains: np.ndarray, steps: _Steps) -> _Sums:
    sums = _Sums(len(views.texels))
    for frame in views.frames:
        samples = views.samples(frame, steps.check)
        colour = read(views.picture(frame), samples.place) / gains[frame]
        weight = samples.weight**views.settings.sharpness
        agreement = np.float32(1.0)
        if reference is not None:
            agreement = _agreement(colour - reference[samples.row], views.settings.outlier)
        look(steps.check)
        sums.add(samples, colour, weight, agreement * np.ones_like(weight))
        steps.next()
    return sums


def _agreement(difference: np.ndarray, outlier: float) -> np.ndarray:
    """Weight [M] of samples that differ by [M,3] from the mean: 1 when equal, a quarter at ``outlier``."""
    return (1 / (1 + (difference**2).mean(axis=1) / outlier**2) ** 2).astype(np.float32)


def _detail_pass(
    views: FrameViews, colour: np.ndarray, seen: np.ndarray, gains: np.ndarray, steps: _Steps
) -> np.ndarray:
    """What to add to texels [N,3]: the difference between the clip and its re-rendered frames, seen best wins."""
    settings, surface = views.settings, views.surface
    page = paint_page(views.texels, to_stored(colour, settings.linear_light), seen, steps.check)
    sums = _Sums(len(views.texels))
    for frame in views.frames:
        samples = views.samples(frame, steps.check)
        look(steps.check)
        picture = _render(views, surface.vertices(frame), page)
        look(steps.check)
        whole = (views.clip.frames[frame, ..., 3:] >= SURE) & (picture[..., 3:] > 0.99)
        wanted = views.picture(frame) / views.picture(frame).new_tensor(gains[frame])
        missing = (wanted - to_working(picture[..., :3], settings.linear_light)) * whole
        difference = read(missing, samples.place)
        look(steps.check)
        weight = samples.weight**settings.sharpness
        sums.add(samples, difference, weight, _agreement(difference, settings.outlier))
        steps.next()
    return sums.mean() * seen[:, None]


def _render(views: FrameViews, vertices: np.ndarray, page: np.ndarray):
    import torch

    arrays = (torch.from_numpy(array) for array in (vertices, views.surface.faces, views.surface.cut.uv, page))
    return render_textured(*arrays, views.intrinsics, views.rotation, views.translation, views.size)


def _gains(views: FrameViews, reference: np.ndarray, before: np.ndarray, check: Check | None) -> np.ndarray:
    """Brightness [T,3] of each frame against the mean, their geometric mean over frames 1."""
    gains = before.copy()
    for frame in views.frames:
        samples = views.samples(frame, check)
        good = np.flatnonzero(samples.weight > 0.3)
        if len(good) < _GAIN_SAMPLES:
            continue
        colour = read(views.picture(frame), samples.place[good])
        bright = (colour > 0.05) & (reference[samples.row[good]] > 0.05)
        ratio = np.where(bright, colour / np.maximum(reference[samples.row[good]], 1e-3), np.nan)
        if bright.any(axis=0).all():
            gains[frame] = np.nanmedian(ratio, axis=0).clip(1 / _GAIN_LIMIT, _GAIN_LIMIT)
    return (gains / np.exp(np.log(gains).mean(axis=0))).astype(np.float32)
