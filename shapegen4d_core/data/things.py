"""Families of blobs, plants, cloth and machines."""

from __future__ import annotations

import numpy as np

from .motion import TURN, PoseAt, ramp, uniform
from .parts import (
    BEND_X,
    BEND_Z,
    TWIST,
    WARP_SIZE,
    WAVE_AMPLITUDE,
    WAVE_NUMBER,
    WAVE_PHASE,
    WAVE_START,
    Pose,
    box,
    cylinder,
    ellipsoid,
    limb,
    rotation,
    torus,
)


def metaballs(rng: np.random.Generator) -> PoseAt:
    """Two to four balls that travel, merge and split."""
    count = int(rng.integers(2, 5))
    radius = rng.uniform(0.2, 0.42, count)
    squash = rng.uniform(0.75, 1.3, (count, 3))
    start, phase = rng.uniform(-0.65, 0.65, (count, 3)), rng.uniform(0, TURN, (count, 3))
    reach, cycles = rng.uniform(0.15, 0.5, (count, 3)), rng.integers(1, 3, count)
    blend = uniform(rng, 0.15, 0.4)

    def pose(u: float) -> Pose:
        parts = []
        for i in range(count):
            centre = start[i] * 0.7 + reach[i] * np.sin(TURN * cycles[i] * u + phase[i])
            grow = 1 + 0.2 * np.sin(TURN * u + phase[i, 0])
            parts.append(ellipsoid(centre, radius[i] * grow * squash[i], colour=i))
        return Pose(parts, blend=blend)

    return pose


def bender(rng: np.random.Generator) -> PoseAt:
    """A column that bends, twists and stretches."""
    half, width, depth = uniform(rng, 0.5, 0.85), uniform(rng, 0.24, 0.42), uniform(rng, 0.22, 0.4)
    shape, ring = int(rng.integers(0, 4)), rng.random() < 0.35
    bend_x, bend_z, twist = ramp(rng, -0.55, 0.55), ramp(rng, -0.4, 0.4), ramp(rng, -1.6, 1.6)
    stretch = ramp(rng, 0.7, 1.15)

    def pose(u: float) -> Pose:
        h = half * stretch(u)
        w, d = width / np.sqrt(stretch(u)), depth / np.sqrt(stretch(u))
        if shape == 0:
            parts = [box((0, 0, 0), (w, h, d), rounding=0.06)]
        elif shape == 1:
            parts = [cylinder((0, 0, 0), w, h)]
        elif shape == 2:
            parts = [limb(np.array([0, -h, 0]), np.eye(3), 2 * h, w * 1.2, w * 0.6)[0]]
        else:
            parts = [
                ellipsoid((0, y * h, 0), (w * 1.15, h * 0.36, d * 1.15), colour=i)
                for i, y in enumerate((-0.75, -0.25, 0.25, 0.75))
            ]
        if ring:
            parts.append(torus((0, 0.2 * h, 0), w * 1.4, 0.13, colour=2))
        warp = np.zeros(WARP_SIZE)
        warp[[TWIST, BEND_X, BEND_Z]] = twist(u) if shape in (0, 3) else 0.0, bend_x(u), bend_z(u)
        return Pose(parts, blend=0.06, warp=warp)

    return pose


def pulsar(rng: np.random.Generator) -> PoseAt:
    """A core with bumps that grow and shrink: the volume really changes."""
    count, core = int(rng.integers(2, 6)), rng.uniform(0.28, 0.5, 3)
    direction = rng.normal(size=(count, 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    size, reach = rng.uniform(0.14, 0.26, count), rng.uniform(0.45, 0.85, count)
    phase, core_beat, blend = rng.uniform(0, TURN, count), uniform(rng, 0.05, 0.25), uniform(rng, 0.1, 0.3)

    def pose(u: float) -> Pose:
        parts = [ellipsoid((0, 0, 0), core * (1 + core_beat * np.sin(TURN * u)))]
        for i in range(count):
            beat = 0.7 + 0.5 * np.sin(TURN * u + phase[i])
            centre = direction[i] * reach[i] * (0.75 + 0.35 * beat)
            parts.append(ellipsoid(centre, np.full(3, size[i] * (0.6 + 0.5 * beat)), colour=1 + i % 3))
        return Pose(parts, blend=blend)

    return pose


def flag(rng: np.random.Generator) -> PoseAt:
    """A cloth panel waving from a pole."""
    pole, width, height = uniform(rng, 0.7, 0.95), uniform(rng, 0.7, 1.1), uniform(rng, 0.3, 0.5)
    thick, radius = uniform(rng, 0.08, 0.12), uniform(rng, 0.09, 0.13)
    amplitude, number = uniform(rng, 0.15, 0.4), uniform(rng, 2.5, 6.0)
    phase, cycles, foot = uniform(rng, 0, TURN), int(rng.integers(1, 3)), rng.random() < 0.7

    def pose(u: float) -> Pose:
        parts = [
            cylinder((0, 0, 0), radius, pole),
            box((width / 2, pole - height, 0), (width / 2, height, thick), rounding=0.04, colour=1),
        ]
        if foot:
            parts.append(cylinder((0, -pole, 0), 0.28, 0.09, colour=2))
        warp = np.zeros(WARP_SIZE)
        warp[[WAVE_AMPLITUDE, WAVE_NUMBER, WAVE_PHASE, WAVE_START]] = (
            amplitude,
            number,
            phase - TURN * cycles * u,
            0.05,
        )
        return Pose(parts, blend=0.02, warp=warp)

    return pose


def plant(rng: np.random.Generator) -> PoseAt:
    """A plant that grows out of a pot, opens its leaves and sways."""
    height, stem, leaves = uniform(rng, 0.65, 1.1), uniform(rng, 0.09, 0.13), int(rng.integers(2, 6))
    leaf, flower = uniform(rng, 0.28, 0.45), uniform(rng, 0.18, 0.3)
    growth, opening, sway = ramp(rng, 0.35, 1.0), ramp(rng, 25, 95), ramp(rng, -0.25, 0.25)
    pot, turn = rng.random() < 0.7, uniform(rng, 0, 360)

    def pose(u: float) -> Pose:
        h, opened = height * growth(u), opening(u)
        parts = [limb(np.zeros(3), np.eye(3), h, stem * 1.2, stem, 1)[0]]
        for i in range(leaves):
            frame = rotation("y", turn + 360 * i / leaves) @ rotation("x", opened)
            reach = leaf * (0.5 + 0.5 * growth(u))
            centre = np.array([0, h * 0.75, 0]) + frame[:, 1] * reach
            parts.append(ellipsoid(centre, (0.18, reach, 0.1), frame, 1))
        parts.append(ellipsoid((0, h + 0.5 * flower, 0), (flower, flower * 0.8, flower), colour=2))
        if pot:
            parts.append(cylinder((0, -0.15, 0), 0.3, 0.2, colour=3))
        warp = np.zeros(WARP_SIZE)
        warp[BEND_X] = sway(u)
        return Pose(parts, blend=0.04, warp=warp)

    return pose


def spinner(rng: np.random.Generator) -> PoseAt:
    """A tower with blades that turn, upright or like a windmill."""
    height, radius = uniform(rng, 0.6, 0.95), uniform(rng, 0.16, 0.27)
    blades, reach = int(rng.integers(2, 6)), uniform(rng, 0.45, 0.8)
    wide, upright = uniform(rng, 0.12, 0.18), rng.random() < 0.5
    turns, start = uniform(rng, 0.4, 1.0) * (1 if rng.random() < 0.5 else -1), uniform(rng, 0, 360)
    square = rng.random() < 0.5

    def pose(u: float) -> Pose:
        parts = [
            box((0, height / 2, 0), (radius, height / 2, radius), colour=0)
            if square
            else limb(np.zeros(3), np.eye(3), height, radius * 1.2, radius * 0.8, 0)[0]
        ]
        hub = np.array([0, height + 0.08, 0.0]) if not upright else np.array([0, height * 0.9, radius + 0.14])
        parts.append(ellipsoid(hub, (0.18, 0.18, 0.18), colour=2))
        for i in range(blades):
            angle = start + 360 * (i / blades + turns * u / max(1, blades) * 2)
            spin = rotation("z", angle) if upright else rotation("y", angle) @ rotation("z", 90)
            centre = hub + spin[:, 1] * (reach / 2 + 0.08)
            half = (wide, reach / 2, 0.09) if upright else (0.09, reach / 2, wide)
            parts.append(box(centre, half, spin, 0.04, 1))
        return Pose(parts, blend=0.02)

    return pose


def arm(rng: np.random.Generator) -> PoseAt:
    """A jointed machine arm on a base."""
    base, links = uniform(rng, 0.25, 0.42), int(rng.integers(2, 4))
    length, thick = rng.uniform(0.35, 0.55, links), rng.uniform(0.12, 0.17, links)
    bend = [ramp(rng, -75, 75) for _ in range(links)]
    yaw, boxy, claw = ramp(rng, -70, 70), rng.random() < 0.5, rng.random() < 0.6

    def pose(u: float) -> Pose:
        parts = [box((0, 0, 0), (base, 0.13, base), colour=0) if boxy else cylinder((0, 0, 0), base, 0.13, colour=0)]
        where, frame = np.array([0, 0.1, 0.0]), rotation("y", yaw(u))
        for i in range(links):
            frame = frame @ rotation("x", bend[i](u) * (0.6 if i == 0 else 1.0))
            if boxy:
                centre = where + frame[:, 1] * length[i] / 2
                parts.append(box(centre, (thick[i], length[i] / 2 + thick[i] * 0.5, thick[i]), frame, 0.03, 1 + i % 2))
            else:
                parts.append(limb(where, frame, length[i], thick[i], thick[i] * 0.9, 1 + i % 2)[0])
            where = where + frame[:, 1] * length[i]
        if claw:
            for side in (1, -1):
                finger = frame @ rotation("z", side * 35)
                parts.append(limb(where, finger, 0.22, 0.095, 0.08, 3)[0])
        return Pose(parts, blend=0.02)

    return pose
