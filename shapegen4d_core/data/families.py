"""Families of procedural animated objects; each draws its proportions once and poses itself at any time.

A family is a function ``build(rng) -> pose(u)`` where ``u`` in [0, 1) runs once through the clip. Objects stand along
+y and face +z. Lengths are free: the sequence is normalised to one box afterwards.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .parts import (
    BEND_X,
    BEND_Z,
    TWIST,
    WARP_SIZE,
    WAVE_AMPLITUDE,
    WAVE_AXIS,
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

PoseAt = Callable[[float], Pose]
DOWN = rotation("x", 180.0)
TURN = 2 * np.pi


def _uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return float(rng.uniform(low, high))


def _swing(rng: np.random.Generator, low: float, high: float) -> Callable[[float], float]:
    """A periodic angle in degrees: random amplitude, phase and one or two cycles per clip."""
    amplitude, phase = _uniform(rng, low, high), _uniform(rng, 0, TURN)
    cycles = int(rng.integers(1, 3))
    return lambda u, shift=0.0: amplitude * np.sin(TURN * (cycles * u + shift) + phase)


def _ramp(rng: np.random.Generator, low: float, high: float) -> Callable[[float], float]:
    """A smooth value that goes from one end to the other, or there and back, during the clip."""
    start, end = _uniform(rng, low, high), _uniform(rng, low, high)
    if abs(end - start) < 0.5 * (high - low):
        start, end = (low, high) if rng.random() < 0.5 else (high, low)
    there_and_back = rng.random() < 0.5

    def value(u: float) -> float:
        s = (1 - np.cos(TURN * u)) / 2 if there_and_back else (1 - np.cos(np.pi * u)) / 2
        return start + (end - start) * s

    return value


def quadruped(rng: np.random.Generator) -> PoseAt:
    """A four-legged animal walking on the spot, head and tail moving."""
    length, width, height = _uniform(rng, 0.35, 0.6), _uniform(rng, 0.19, 0.3), _uniform(rng, 0.2, 0.3)
    leg, thick = _uniform(rng, 0.3, 0.6), _uniform(rng, 0.095, 0.14)
    neck, head = _uniform(rng, 0.1, 0.35), _uniform(rng, 0.16, 0.24)
    tail, boxy = _uniform(rng, 0.0, 0.45), rng.random() < 0.35
    stride, nod, wag = _swing(rng, 15, 40), _swing(rng, 5, 25), _swing(rng, 10, 40)
    lift = _uniform(rng, 25, 70)
    pairs = (0.0, 0.5, 0.5, 0.0) if rng.random() < 0.6 else (0.0, 0.0, 0.5, 0.5)

    def pose(u: float) -> Pose:
        centre = np.array([0.0, leg + 0.5 * height, 0.0])
        torso = (
            box(centre, (width, height, length), colour=0, rounding=0.08)
            if boxy
            else ellipsoid(centre, (width, height, length * 1.15), colour=0)
        )
        parts = [torso]
        for i, (sx, sz) in enumerate(((1, 1), (-1, 1), (1, -1), (-1, -1))):
            hip = centre + np.array([sx * (width - 0.4 * thick), -0.3 * height, sz * (length - thick)])
            angle = stride(u, pairs[i])
            upper, knee = limb(hip, rotation("x", angle) @ DOWN, leg * 0.55, thick * 1.1, thick * 0.9, 1)
            bend = max(0.0, angle) * 0.02 * lift - 5
            lower, _ = limb(knee, rotation("x", angle - bend) @ DOWN, leg * 0.5, thick * 0.9, thick * 0.85, 1)
            parts += [upper, lower]
        frame = rotation("x", lift - 10 + nod(u))
        neck_part, top = limb(centre + np.array([0, 0.5 * height, 0.85 * length]), frame, neck, 0.15, 0.12, 0)
        muzzle = rotation("x", 90 + nod(u, 0.2))
        parts += [
            neck_part,
            ellipsoid(top, (head, head, head * 1.1), colour=2),
            limb(top, muzzle, head * 1.3, head * 0.75, head * 0.5, 2)[0],
        ]
        if tail > 0.1:
            swing = rotation("y", wag(u)) @ rotation("x", -60)
            parts.append(limb(centre + np.array([0, 0.6 * height, -length]), swing, tail, 0.1, 0.08, 1)[0])
        return Pose(parts, blend=0.05)

    return pose


def biped(rng: np.random.Generator) -> PoseAt:
    """A figure on two legs that walks, waves or jumps."""
    chest, hips, torso = _uniform(rng, 0.17, 0.27), _uniform(rng, 0.15, 0.23), _uniform(rng, 0.35, 0.55)
    arm, leg = _uniform(rng, 0.35, 0.55), _uniform(rng, 0.4, 0.6)
    thick, head = _uniform(rng, 0.095, 0.14), _uniform(rng, 0.18, 0.28)
    stride, hop = _swing(rng, 10, 45), abs(_uniform(rng, 0.0, 0.15))
    raise_left, raise_right = _ramp(rng, 15, 150), _ramp(rng, 15, 150)
    elbow, lean, hat = _swing(rng, 10, 60), _swing(rng, 0, 12), rng.random() < 0.3
    boxy = rng.random() < 0.4

    def pose(u: float) -> Pose:
        tilt = rotation("z", lean(u))
        pelvis = np.array([0.0, leg + hop * np.sin(TURN * u) ** 2, 0.0])
        middle = pelvis + tilt @ np.array([0, torso / 2, 0])
        trunk = (
            box(middle, (chest, torso / 2 + 0.05, 0.7 * chest), tilt, 0.06, 0)
            if boxy
            else limb(pelvis, tilt, torso, hips, chest, 0)[0]
        )
        parts = [trunk]
        shoulder_y = torso * 0.95
        for side, lift in ((1, raise_left(u)), (-1, raise_right(u))):
            start = pelvis + tilt @ np.array([side * (chest + 0.3 * thick), shoulder_y, 0])
            frame = (
                tilt
                @ rotation("z", side * lift)
                @ rotation("x", -0.5 * stride(u, 0.5 if side > 0 else 0))
                @ DOWN
            )
            upper, joint = limb(start, frame, arm * 0.5, thick, thick * 0.9, 1)
            lower, _ = limb(
                joint, frame @ rotation("x", abs(elbow(u))), arm * 0.5, thick * 0.9, thick * 0.85, 1
            )
            hip = pelvis + np.array([side * 0.6 * hips, -0.05, 0])
            angle = stride(u, 0.0 if side > 0 else 0.5)
            thigh, knee = limb(hip, rotation("x", angle) @ DOWN, leg * 0.5, thick * 1.2, thick, 3)
            shin, _ = limb(
                knee, rotation("x", angle + max(0.0, -angle) * 1.2) @ DOWN, leg * 0.48, thick, thick * 0.95, 3
            )
            parts += [upper, lower, thigh, shin]
        top = pelvis + tilt @ np.array([0, torso + chest * 0.5 + head * 0.9, 0])
        parts.append(ellipsoid(top, (head, head * 1.1, head), tilt, 2))
        if hat:
            parts.append(cylinder(top + tilt @ np.array([0, head * 1.05, 0]), head * 0.95, 0.07, tilt, 3))
        return Pose(parts, blend=0.04)

    return pose


def metaballs(rng: np.random.Generator) -> PoseAt:
    """Two to four balls that travel, merge and split."""
    count = int(rng.integers(2, 5))
    radius = rng.uniform(0.2, 0.42, count)
    squash = rng.uniform(0.75, 1.3, (count, 3))
    start, phase = rng.uniform(-0.65, 0.65, (count, 3)), rng.uniform(0, TURN, (count, 3))
    reach, cycles = rng.uniform(0.15, 0.5, (count, 3)), rng.integers(1, 3, count)
    blend = _uniform(rng, 0.15, 0.4)

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
    half, width, depth = _uniform(rng, 0.5, 0.85), _uniform(rng, 0.24, 0.42), _uniform(rng, 0.22, 0.4)
    shape, ring = int(rng.integers(0, 4)), rng.random() < 0.35
    bend_x, bend_z, twist = _ramp(rng, -0.55, 0.55), _ramp(rng, -0.4, 0.4), _ramp(rng, -1.6, 1.6)
    stretch = _ramp(rng, 0.7, 1.15)

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
    phase, core_beat, blend = rng.uniform(0, TURN, count), _uniform(rng, 0.05, 0.25), _uniform(rng, 0.1, 0.3)

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
    pole, width, height = _uniform(rng, 0.7, 0.95), _uniform(rng, 0.7, 1.1), _uniform(rng, 0.3, 0.5)
    thick, radius = _uniform(rng, 0.08, 0.12), _uniform(rng, 0.09, 0.13)
    amplitude, number = _uniform(rng, 0.15, 0.4), _uniform(rng, 2.5, 6.0)
    phase, cycles, foot = _uniform(rng, 0, TURN), int(rng.integers(1, 3)), rng.random() < 0.7

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
    height, stem, leaves = _uniform(rng, 0.65, 1.1), _uniform(rng, 0.09, 0.13), int(rng.integers(2, 6))
    leaf, flower = _uniform(rng, 0.28, 0.45), _uniform(rng, 0.18, 0.3)
    growth, opening, sway = _ramp(rng, 0.35, 1.0), _ramp(rng, 25, 95), _ramp(rng, -0.25, 0.25)
    pot, turn = rng.random() < 0.7, _uniform(rng, 0, 360)

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
    height, radius = _uniform(rng, 0.6, 0.95), _uniform(rng, 0.16, 0.27)
    blades, reach = int(rng.integers(2, 6)), _uniform(rng, 0.45, 0.8)
    wide, upright = _uniform(rng, 0.12, 0.18), rng.random() < 0.5
    turns, start = _uniform(rng, 0.4, 1.0) * (1 if rng.random() < 0.5 else -1), _uniform(rng, 0, 360)
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
    base, links = _uniform(rng, 0.25, 0.42), int(rng.integers(2, 4))
    length, thick = rng.uniform(0.35, 0.55, links), rng.uniform(0.12, 0.17, links)
    bend = [_ramp(rng, -75, 75) for _ in range(links)]
    yaw, boxy, claw = _ramp(rng, -70, 70), rng.random() < 0.5, rng.random() < 0.6

    def pose(u: float) -> Pose:
        parts = [
            box((0, 0, 0), (base, 0.13, base), colour=0)
            if boxy
            else cylinder((0, 0, 0), base, 0.13, colour=0)
        ]
        where, frame = np.array([0, 0.1, 0.0]), rotation("y", yaw(u))
        for i in range(links):
            frame = frame @ rotation("x", bend[i](u) * (0.6 if i == 0 else 1.0))
            if boxy:
                centre = where + frame[:, 1] * length[i] / 2
                parts.append(
                    box(centre, (thick[i], length[i] / 2 + thick[i] * 0.5, thick[i]), frame, 0.03, 1 + i % 2)
                )
            else:
                parts.append(limb(where, frame, length[i], thick[i], thick[i] * 0.9, 1 + i % 2)[0])
            where = where + frame[:, 1] * length[i]
        if claw:
            for side in (1, -1):
                finger = frame @ rotation("z", side * 35)
                parts.append(limb(where, finger, 0.22, 0.095, 0.08, 3)[0])
        return Pose(parts, blend=0.02)

    return pose


def fish(rng: np.random.Generator) -> PoseAt:
    """A fish whose body undulates and whose fins beat."""
    length, height, width = _uniform(rng, 0.6, 0.85), _uniform(rng, 0.25, 0.45), _uniform(rng, 0.2, 0.34)
    tail, fin = _uniform(rng, 0.2, 0.35), _uniform(rng, 0.18, 0.34)
    amplitude, number, phase = _uniform(rng, 0.12, 0.3), _uniform(rng, 2.0, 4.5), _uniform(rng, 0, TURN)
    flap, cycles = _swing(rng, 15, 40), int(rng.integers(1, 3))

    def pose(u: float) -> Pose:
        parts = [ellipsoid((0, 0, 0), (length, height, width), colour=0)]
        for side in (1, -1):
            frame = rotation("z", 90 + side * 40)
            parts.append(
                ellipsoid(
                    np.array([length + 0.3 * tail, 0, 0]) - frame[:, 1] * tail * 0.6,
                    (0.14, tail, 0.1),
                    frame,
                    1,
                )
            )
            beat = rotation("x", side * (70 + flap(u)))
            parts.append(
                ellipsoid(
                    np.array([-0.35 * length, -0.3 * height, side * width * 0.7]) + beat[:, 1] * fin * 0.5,
                    (0.16, fin, 0.09),
                    beat,
                    2,
                )
            )
        parts.append(ellipsoid((0.05 * length, height * 0.95, 0), (0.3 * length, 0.2, 0.1), colour=1))
        warp = np.zeros(WARP_SIZE)
        warp[[WAVE_AMPLITUDE, WAVE_NUMBER, WAVE_PHASE, WAVE_START]] = (
            amplitude,
            number,
            phase - TURN * cycles * u,
            -0.5 * length,
        )
        return Pose(parts, blend=0.05, warp=warp)

    return pose


def bird(rng: np.random.Generator) -> PoseAt:
    """A bird beating its wings; held out of training as an unseen family."""
    length, radius, span = _uniform(rng, 0.4, 0.6), _uniform(rng, 0.16, 0.26), _uniform(rng, 0.35, 0.6)
    beat, head, tail = _swing(rng, 20, 50), _uniform(rng, 0.12, 0.19), _uniform(rng, 0.2, 0.4)

    def pose(u: float) -> Pose:
        parts = [
            ellipsoid((0, 0, 0), (radius, radius, length), colour=0),
            ellipsoid((0, 0.6 * radius, length), (head, head, head), colour=2),
            ellipsoid((0, 0.05, -length - 0.4 * tail), (0.2, 0.1, tail), colour=1),
        ]
        for side in (1, -1):
            frame = rotation("z", side * (beat(u) - 90))
            inner, joint = limb(
                np.array([side * 0.6 * radius, 0.3 * radius, 0.05]), frame, span, 0.14, 0.12, 1
            )
            outer, _ = limb(joint, rotation("z", side * 0.6 * beat(u, -0.15)) @ frame, span, 0.12, 0.09, 1)
            parts += [inner, outer]
        return Pose(parts, blend=0.06)

    return pose


TRAINING = {
    f.__name__: f for f in (quadruped, biped, metaballs, bender, pulsar, flag, plant, spinner, arm, fish)
}
HELD_OUT = {"bird": bird}
FAMILIES = TRAINING | HELD_OUT
__all__ = ["FAMILIES", "HELD_OUT", "TRAINING", "PoseAt", *FAMILIES, "WAVE_AXIS"]
