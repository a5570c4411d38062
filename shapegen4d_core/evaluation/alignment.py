"""The paper's alignment (section 5.2): one similarity from frame 1 for all frames, then a translation per frame.

The paper gives neither ranges nor steps; those of :class:`AlignmentSettings` are ours and part of every report.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from ..geometry.icp import CloudPair, similarity_icp, translation_icp
from ..geometry.similarity import Similarity
from ..progress import Check, Progress, tick
from .search import SearchSettings, search_similarity


@dataclass(frozen=True)
class AlignmentSettings:
    """Grid ``search``, then similarity ICP on ``points`` of each cloud keeping the nearest share ``kept`` of pairs,
    at most ``iterations`` rounds; then ``shift_iterations`` rounds per frame for its translation.
    """

    search: SearchSettings = field(default_factory=SearchSettings)
    points: int = 10_000
    iterations: int = 50
    kept: float = 0.9
    shift_iterations: int = 10
    per_frame_translation: bool = True


@dataclass(frozen=True)
class SequenceAlignment:
    """``similarity`` from frame 1, and the further translation ``offsets`` [T,3] of every frame."""

    similarity: Similarity
    offsets: np.ndarray

    def of_frame(self, frame: int) -> Similarity:
        """The transform of one frame."""
        return self.similarity.shifted(self.offsets[frame])


def align_first_frame(moving: np.ndarray, fixed: np.ndarray, settings: AlignmentSettings) -> Similarity:
    """The similarity that brings points [P,3] onto points [Q,3]: grid, ICP from the best starts, least Chamfer wins.

    The points are in random order, so that a leading part of them is a sample.
    """
    starts = search_similarity(moving, fixed, settings.search)
    pair = CloudPair(moving[: settings.points], fixed[: settings.points])
    coarse = CloudPair(moving[: settings.search.points], fixed[: settings.search.points])
    refined = [similarity_icp(coarse, start, settings.iterations, settings.kept, 1e-3) for start in starts]
    refined = [similarity_icp(pair, start, settings.iterations, settings.kept) for start in refined]
    return min(refined, key=pair.chamfer)


def align_sequence(
    prediction: Sequence[np.ndarray],
    truth: Sequence[np.ndarray],
    settings: AlignmentSettings | None = None,
    progress: Progress | None = None,
    check: Check | None = None,
) -> SequenceAlignment:
    """Alignment of clouds [P,3] of every frame to those of the truth, which lies in its unit box.

    Frames without points keep the previous offset; a first frame without points leaves everything where it is.
    """
    settings = settings or AlignmentSettings()
    if len(prediction[0]) == 0:
        return SequenceAlignment(Similarity(), np.zeros((len(prediction), 3)))
    similarity = align_first_frame(prediction[0], truth[0], settings)
    offsets = np.zeros((len(prediction), 3))
    for frame, (moving, fixed) in enumerate(zip(prediction, truth)):
        before = offsets[frame - 1] if frame else np.zeros(3)
        offsets[frame] = before
        if settings.per_frame_translation and len(moving):
            moved = similarity(moving[: settings.points])
            fixed = fixed[: settings.points]
            starts = [np.zeros(3), before, _box_offset(moved, fixed)]
            offsets[frame] = translation_icp(moved, fixed, starts, settings.shift_iterations, settings.kept)
        tick(progress, check, frame + 1, len(prediction))
    return SequenceAlignment(similarity, offsets)


def _box_offset(moving: np.ndarray, fixed: np.ndarray) -> np.ndarray:
    return (fixed.min(axis=0) + fixed.max(axis=0) - moving.min(axis=0) - moving.max(axis=0)) / 2
