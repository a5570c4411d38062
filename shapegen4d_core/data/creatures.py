"""Families of animals and figures."""

from __future__ import annotations

import numpy as np

from .motion import TURN, PoseAt, ramp, swing, uniform
from .parts import (
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
)

DOWN = rotation("x", 180.0)


def quadruped(rng: np.random.Generator) -> PoseAt:
    """A four-legged animal walking on the spot, head and tail moving."""
    length, width, height = uniform(rng, 0.35, 0.6), uniform(rng, 0.19, 0.3), uniform(rng, 0.2, 0.3)
    leg, thick = uniform(rng, 0.3, 0.6), uniform(rng, 0.095, 0.14)
    neck, head = uniform(rng, 0.1, 0.35), uniform(rng, 0.16, 0.24)
    tail, boxy = uniform(rng, 0.0, 0.45), rng.random() < 0.35
    stride, nod, wag = swing(rng, 15, 40), swing(rng, 5, 25), swing(rng, 10, 40)
    lift = uniform(rng, 25, 70)
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
    chest, hips, torso = uniform(rng, 0.17, 0.27), uniform(rng, 0.15, 0.23), uniform(rng, 0.35, 0.55)
    arm, leg = uniform(rng, 0.35, 0.55), uniform(rng, 0.4, 0.6)
    thick, head = uniform(rng, 0.095, 0.14), uniform(rng, 0.18, 0.28)
    stride, hop = swing(rng, 10, 45), abs(uniform(rng, 0.0, 0.15))
    raise_left, raise_right = ramp(rng, 15, 150), ramp(rng, 15, 150)
    elbow, lean, hat = swing(rng, 10, 60), swing(rng, 0, 12), rng.random() < 0.3
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
            frame = tilt @ rotation("z", side * lift) @ rotation("x", -0.5 * stride(u, 0.5 if side > 0 else 0)) @ DOWN
            upper, joint = limb(start, frame, arm * 0.5, thick, thick * 0.9, 1)
            lower, _ = limb(joint, frame @ rotation("x", abs(elbow(u))), arm * 0.5, thick * 0.9, thick * 0.85, 1)
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


def fish(rng: np.random.Generator) -> PoseAt:
    """A fish whose body undulates and whose fins beat."""
    length, height, width = uniform(rng, 0.6, 0.85), uniform(rng, 0.25, 0.45), uniform(rng, 0.2, 0.34)
    tail, fin = uniform(rng, 0.2, 0.35), uniform(rng, 0.18, 0.34)
    amplitude, number, phase = uniform(rng, 0.12, 0.3), uniform(rng, 2.0, 4.5), uniform(rng, 0, TURN)
    flap, cycles = swing(rng, 15, 40), int(rng.integers(1, 3))

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
    length, radius, span = uniform(rng, 0.4, 0.6), uniform(rng, 0.16, 0.26), uniform(rng, 0.35, 0.6)
    beat, head, tail = swing(rng, 20, 50), uniform(rng, 0.12, 0.19), uniform(rng, 0.2, 0.4)

    def pose(u: float) -> Pose:
        parts = [
            ellipsoid((0, 0, 0), (radius, radius, length), colour=0),
            ellipsoid((0, 0.6 * radius, length), (head, head, head), colour=2),
            ellipsoid((0, 0.05, -length - 0.4 * tail), (0.2, 0.1, tail), colour=1),
        ]
        for side in (1, -1):
            frame = rotation("z", side * (beat(u) - 90))
            inner, joint = limb(np.array([side * 0.6 * radius, 0.3 * radius, 0.05]), frame, span, 0.14, 0.12, 1)
            outer, _ = limb(joint, rotation("z", side * 0.6 * beat(u, -0.15)) @ frame, span, 0.12, 0.09, 1)
            parts += [inner, outer]
        return Pose(parts, blend=0.06)

    return pose
