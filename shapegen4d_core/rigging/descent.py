"""Block descent on a skin: weights, rest places and motions in turn, each the best for the others.

Every round also looks ahead: the motions are carried on in the direction of the last change (Nesterov 1983) before the
weights are solved, and a round that gains nothing that way is made again without.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from ..progress import Check
from .influences import improved_weights, joint_errors
from .joints import improved_motions, nearest_rigid
from .moments import Frames, homogeneous, joint_sums, motion_products, motion_rows, pulls, vertex_blocks
from .rest import improved_rest

_ROUNDS = 2  # of all joints' motions per step
_PATIENCE, _WORTH = 6, 0.01  # stop when so many steps together gain less than this share of the error
_EXACT = 1e-7  # of the diagonal: float32 does not hold more


@dataclass(frozen=True)
class Skin:
    """Rest places [V,3], weights [V,J], motions [T,J,3,4] and the sum of the squared errors."""

    rest: np.ndarray
    weights: np.ndarray
    motions: np.ndarray
    error: float = np.inf


class Descent:
    """Lowers the error of a skin of ``frames`` step by step; ``steps`` counts them."""

    def __init__(self, frames: Frames, influences: int, fit_rest: bool, check: Check | None = None) -> None:
        self._frames, self._most, self._fit_rest, self._check = frames, influences, fit_rest, check
        self._total = float(sum((block**2).sum() for _, block in frames.blocks(check)))
        self._pace = 1.0
        self.steps = 0

    def begin(self, rest: np.ndarray, motions: np.ndarray) -> Skin:
        """A skin in which every vertex follows the one joint that carries it best."""
        products, pulled = motion_products(motions), pulls(self._frames, motions, self._check)
        places, weights = homogeneous(rest), np.zeros((len(rest), motions.shape[1]))
        for rows in vertex_blocks(len(rest), self._check):
            best = joint_errors(places[rows], products, pulled[rows]).argmin(axis=1)
            np.put_along_axis(weights[rows], best[:, None], 1.0, axis=1)
        self._pace = 1.0
        return Skin(rest, weights, motions)

    def step(self, skin: Skin, before: Skin | None = None) -> Skin:
        """One round; ``before`` is the skin one step earlier, to look ahead from. The error does not rise."""
        self.steps += 1
        if before is not None:
            pace = (1 + np.sqrt(1 + 4 * self._pace**2)) / 2
            ahead = skin.motions + (self._pace - 1) / pace * (skin.motions - before.motions)
            self._pace = pace
            found = self._round(replace(skin, motions=nearest_rigid(ahead)))
            if found.error <= skin.error:
                return found
        self._pace = 1.0
        return self._round(skin)

    def run(self, skin: Skin, steps: int, on_step: Callable[[], None]) -> Skin:
        """Up to ``steps`` rounds, ``on_step`` after each; fewer when they no longer gain."""
        before, errors = None, []
        for _ in range(steps):
            skin, before = self.step(skin, before), skin
            errors.append(skin.error)
            on_step()
            stalled = len(errors) > _PATIENCE and errors[-1] > (1 - _WORTH) * errors[-1 - _PATIENCE]
            if stalled or self.rms(skin) < _EXACT:
                break
        return skin

    def rms(self, skin: Skin) -> float:
        """Root mean square distance of the vertices, of the diagonal."""
        return float(np.sqrt(max(skin.error, 0) / (self._frames.frame_count * self._frames.vertex_count)))

    def _round(self, skin: Skin) -> Skin:
        frames, rest, motions = self._frames, skin.rest, skin.motions
        products, pulled = motion_products(motions), pulls(frames, motions, self._check)
        weights = improved_weights(rest, skin.weights, products, pulled, self._most, self._check)
        if self._fit_rest:
            rest = improved_rest(rest, weights, products, pulled, self._most, frames.frame_count, self._check)
        squares, targets = joint_sums(frames, rest, weights, self._check)
        motions = improved_motions(motions, squares, targets, _ROUNDS, self._check)
        rows = motion_rows(motions)
        gained = 2 * (rows * targets.transpose(0, 2, 1).reshape(rows.shape)).sum() - ((rows @ squares) * rows).sum()
        return Skin(rest, weights, motions, self._total - float(gained))
