"""ActionBench's alignment: Adam on the squared Chamfer distance from 24 right-angled rotations.

``x -> (scale * x) @ rotation + translation`` for rows; one scale per axis of the prediction, or one for all. Nearest
neighbours are searched with trees on the CPU, gradients flow through the found pairs. The transform that is kept is
the very one whose loss was measured.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import normalize

from ..geometry.distances import tree_of


@dataclass(frozen=True)
class GradientSettings:
    """Published: ``iterations`` of Adam at ``rate`` on ``points`` of each cloud, from all 24 rotations.

    Ours, for the sake of time on a CPU: all starts first run ``trial_iterations`` on ``trial_points``, and only the
    best ``starts`` of them run in full; 24 starts are the published procedure.
    """

    iterations: int = 200
    rate: float = 0.01
    points: int = 10_000
    starts: int = 3
    trial_iterations: int = 60
    trial_points: int = 1000
    isotropic: bool = False


@dataclass(frozen=True)
class AxisTransform:
    """``x -> (scale * x) @ rotation + translation``: scale [3], rotation [3,3], translation [3], and its ``loss``."""

    scale: np.ndarray
    rotation: np.ndarray
    translation: np.ndarray
    loss: float = float("nan")

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """Points [P,3] after the transform."""
        return (points * self.scale) @ self.rotation + self.translation


def right_angle_rotations() -> np.ndarray:
    """The 24 rotations float64 [24,3,3] that take axes to axes."""
    found = []
    for order in itertools.permutations(range(3)):
        for signs in itertools.product((1.0, -1.0), repeat=3):
            matrix = np.zeros((3, 3))
            matrix[range(3), order] = signs
            if np.linalg.det(matrix) > 0:
                found.append(matrix)
    return np.stack(found)


def gradient_icp(moving: np.ndarray, fixed: np.ndarray, settings: GradientSettings) -> AxisTransform:
    """The transform with the least squared Chamfer distance ever seen from points [P,3] to points [Q,3].

    The points are in random order: leading parts of them are samples.
    """
    starts = _Starts(torch.from_numpy(right_angle_rotations()).float(), settings.isotropic)
    if settings.starts < len(starts.base):
        size = settings.trial_points
        _, losses = _descend(starts, moving[:size], fixed[:size], settings.trial_iterations, settings.rate)
        starts = starts.fresh(losses.argsort()[: settings.starts])
    size = settings.points
    best, _ = _descend(starts, moving[:size], fixed[:size], settings.iterations, settings.rate)
    return best


class _Starts:
    """Parameters of B transforms: two rows that span a rotation, translation, scale; ``base`` [B,3,3] comes first."""

    def __init__(self, base: Tensor, isotropic: bool):
        count = len(base)
        self.base, self.isotropic = base, isotropic
        self.rows = torch.eye(3)[:2].repeat(count, 1, 1).requires_grad_()
        self.translation = torch.zeros(count, 3, requires_grad=True)
        self.scale = torch.ones(count, 1 if isotropic else 3, requires_grad=True)

    def fresh(self, chosen: Tensor) -> _Starts:
        """The same starts, only the chosen ones."""
        return _Starts(self.base[chosen], self.isotropic)

    def transform(self) -> tuple[Tensor, Tensor, Tensor]:
        """Scale [B,3], rotation [B,3,3] and translation [B,3]."""
        first = normalize(self.rows[:, 0], dim=1)
        second = normalize(self.rows[:, 1] - (first * self.rows[:, 1]).sum(1, keepdim=True) * first, dim=1)
        turn = torch.stack([first, second, torch.linalg.cross(first, second)], dim=1)
        return self.scale.expand(-1, 3), self.base @ turn, self.translation


@torch.enable_grad()
def _descend(
    starts: _Starts, moving: np.ndarray, fixed: np.ndarray, iterations: int, rate: float
) -> tuple[AxisTransform, Tensor]:
    """Best transform of all starts and steps, and the least loss [B] of every start."""
    source, target = torch.from_numpy(moving).float(), torch.from_numpy(fixed).float()
    target_tree = tree_of(fixed)
    adam = torch.optim.Adam([starts.rows, starts.translation, starts.scale], lr=rate)
    least = torch.full((len(starts.base),), float("inf"))
    kept = [value.detach().clone() for value in starts.transform()]
    for _ in range(iterations):
        transform = starts.transform()
        scale, rotation, translation = transform
        moved = (source * scale[:, None]) @ rotation + translation[:, None]
        losses = torch.stack([_squared_chamfer(cloud, target, target_tree) for cloud in moved])
        better = losses.detach() < least
        least = torch.where(better, losses.detach(), least)
        for saved, value in zip(kept, transform):
            saved[better] = value.detach()[better]
        adam.zero_grad()
        losses.sum().backward()
        adam.step()
    best = int(least.argmin())
    scale, rotation, translation = (value[best].double().numpy() for value in kept)
    return AxisTransform(scale, rotation, translation, float(least[best])), least


def _squared_chamfer(cloud: Tensor, target: Tensor, target_tree) -> Tensor:
    """Mean squared nearest distance, both directions added; the pairs are fixed, the distances carry gradients."""
    places = cloud.detach().numpy()
    _, there = target_tree.query(places)
    _, back = tree_of(places).query(target.numpy())
    forward = (cloud - target[torch.from_numpy(there)]).square().sum(1).mean()
    return forward + (cloud[torch.from_numpy(back)] - target).square().sum(1).mean()
