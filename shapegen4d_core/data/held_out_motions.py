"""Motions kept out of training: bodies drawn exactly as in a trained family, moved by a program it never uses.

Each is a family like any other, ``build(rng) -> pose(u)``, periodic in ``u``. In training no body turns as a whole,
no figure bends forward, no animal rears and balls do not circle: these do.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .creatures import biped, quadruped
from .motion import TURN, PoseAt, uniform
from .parts import Part, Pose, rotation
from .things import arm, metaballs, pulsar, spinner

_ORIGIN = np.zeros(3)
_HIND_LEGS = range(5, 9)  # in the order quadruped makes its parts: torso, four legs of two parts, neck ...
_FRONT_LEGS = range(1, 5)
_LEGS = (3, 4, 7, 8)  # in the order biped makes its parts: trunk, then arm and leg of two parts each, twice


def quadruped_rear(rng: np.random.Generator) -> PoseAt:
    """An animal that rears up on its hind legs, its forelegs pawing the air."""
    walk = quadruped(rng)
    height, moment = uniform(rng, 30, 65), uniform(rng, 0, 1)

    def pose(u: float) -> Pose:
        still, moving = walk(moment), walk(u)
        hip = np.mean([_start(still.parts[i]) for i in (5, 7)], axis=0)
        turn = rotation("x", -height * _there_and_back(u))
        parts = [moving.parts[i] if i in _FRONT_LEGS else part for i, part in enumerate(still.parts)]
        parts = [part if i in _HIND_LEGS else _turned(part, hip, turn) for i, part in enumerate(parts)]
        return replace(still, parts=parts)

    return pose


def biped_bow(rng: np.random.Generator) -> PoseAt:
    """A figure that bows from the hips while its feet stay."""
    stand = biped(rng)
    depth, moment = uniform(rng, 40, 95), uniform(rng, 0, 1)

    def pose(u: float) -> Pose:
        still = stand(moment)
        hips = np.mean([_start(still.parts[i]) for i in (3, 7)], axis=0)
        turn = rotation("x", depth * _there_and_back(u))
        return replace(
            still, parts=[part if i in _LEGS else _turned(part, hips, turn) for i, part in enumerate(still.parts)]
        )

    return pose


def metaballs_orbit(rng: np.random.Generator) -> PoseAt:
    """Balls that circle an upright axis, some against the others, merging as they meet."""
    balls = metaballs(rng)
    count, moment = len(balls(0.0).parts), uniform(rng, 0, 1)
    radius, height = rng.uniform(0.25, 0.65, count), rng.uniform(-0.35, 0.35, count)
    phase, sense = rng.uniform(0, TURN, count), rng.choice([-1.0, 1.0], count)

    def pose(u: float) -> Pose:
        still = balls(moment)
        angles = phase + sense * TURN * u
        centres = np.stack([radius * np.sin(angles), height, radius * np.cos(angles)], axis=1)
        return replace(still, parts=[replace(part, position=at) for part, at in zip(still.parts, centres)])

    return pose


def pulsar_roll(rng: np.random.Generator) -> PoseAt:
    """A core with bumps that keeps its shape and rolls forward once."""
    body = pulsar(rng)
    moment, sense = uniform(rng, 0, 1), float(rng.choice([-1.0, 1.0]))
    return lambda u: _turned_whole(body(moment), _ORIGIN, rotation("x", sense * 360 * u))


def spinner_rock(rng: np.random.Generator) -> PoseAt:
    """A tower that rocks about its foot from side to side while its blades turn."""
    tower = spinner(rng)
    reach = uniform(rng, 20, 45)
    return lambda u: _turned_whole(tower(u), _ORIGIN, rotation("z", reach * float(np.sin(TURN * u))))


def arm_turn(rng: np.random.Generator) -> PoseAt:
    """A machine arm that holds its bend and swings once around its base."""
    machine = arm(rng)
    moment, sense = uniform(rng, 0, 1), float(rng.choice([-1.0, 1.0]))

    def pose(u: float) -> Pose:
        still = machine(moment)
        turn = rotation("y", sense * 360 * u)
        return replace(still, parts=[still.parts[0], *(_turned(part, _ORIGIN, turn) for part in still.parts[1:])])

    return pose


def _there_and_back(u: float) -> float:
    return float(np.sin(np.pi * u) ** 2)


def _start(limb: Part) -> np.ndarray:
    """The end of a limb it was built from."""
    return limb.position - limb.rotation[:, 1] * limb.size[2] / 2


def _turned(part: Part, pivot: np.ndarray, turn: np.ndarray) -> Part:
    return replace(part, position=pivot + turn @ (part.position - pivot), rotation=turn @ part.rotation)


def _turned_whole(pose: Pose, pivot: np.ndarray, turn: np.ndarray) -> Pose:
    return replace(pose, parts=[_turned(part, pivot, turn) for part in pose.parts])
