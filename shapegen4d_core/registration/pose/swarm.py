"""Particle swarm over poses: particles keep their velocity, are drawn to their own and the common best, and calm down.

Kennedy and Eberhart 1995 with falling inertia (Shi and Eberhart 1998). The published pipeline draws velocities anew in
every round, which makes its swarm a random search around the best; that form is kept in ``published.py``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from .poses import within_poles

_REACH = (0.20, 0.20, 0.20, 0.02, 0.02, 0.08)  # half width of the start around a pose, per number of a pose row
_INERTIA = (0.7, 0.4)  # in the first and the last round
_PULL = 1.5  # towards the particle's own and the common best
_LEADERS = 3  # poses that particles start around


@dataclass(frozen=True, eq=False)
class Swarmed:
    """The best ``pose`` [6], its ``cost``, and the cost of the best start."""

    pose: Tensor
    cost: float
    before: float


def swarm(
    starts: Tensor,
    cost: Callable[[Tensor], Tensor],
    free: tuple[int, ...],
    particles: int,
    moves: int,
    generator: torch.Generator,
    each: Callable[[], None],
) -> Swarmed:
    """Search around ``starts`` [N,6], best first, for the pose of least ``cost`` (poses [P,6] -> [P]).

    ``each`` is called after every round. The starts themselves are among the particles, so nothing gets worse.
    """
    reach = torch.zeros(6, dtype=starts.dtype, device=starts.device)
    reach[list(free)] = starts.new_tensor([_REACH[number] for number in free])

    def draw(low: float, high: float) -> Tensor:
        drawn = torch.rand(particles, 6, generator=generator, dtype=torch.float64)
        return low + (high - low) * drawn.to(starts)

    leaders = starts[: min(_LEADERS, len(starts), particles)]
    place = leaders.repeat(-(-particles // len(leaders)), 1)[:particles]
    place = within_poles(place + reach * draw(-1, 1) * (torch.arange(particles) >= len(leaders)).to(place)[:, None])
    velocity = 0.5 * reach * draw(-1, 1)
    own, own_cost = place, cost(place)
    before = float(own_cost[: len(leaders)].min())
    each()
    for step in range(moves):
        best = own[own_cost.argmin()]
        share = step / max(1, moves - 1)
        inertia = _INERTIA[0] + (_INERTIA[1] - _INERTIA[0]) * share
        pull = _PULL * (draw(0, 1) * turned(own - place) + draw(0, 1) * turned(best - place))
        velocity = (inertia * velocity + pull).maximum(-reach).minimum(reach)
        place = within_poles(place + velocity)
        now = cost(place)
        better = now < own_cost
        own, own_cost = torch.where(better[:, None], place, own), torch.where(better, now, own_cost)
        each()
    least = own_cost.argmin()
    return Swarmed(own[least], float(own_cost[least]), before)


def turned(difference: Tensor) -> Tensor:
    """Differences of pose rows [N,6] with yaw and roll the short way around."""
    angles = torch.atan2(difference[:, :3].sin(), difference[:, :3].cos())
    return torch.cat([angles, difference[:, 3:]], 1)
