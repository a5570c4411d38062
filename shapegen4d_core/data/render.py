"""Sphere-traced RGBA pictures of a posed body, one ray per pixel with antialiased edges."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from .fields import body, body_gradient, owner


@njit(cache=True, fastmath=True)
def _albedo(palette, pattern, scale, part, u, v, w, out):
    k = part % palette.shape[0]
    for c in range(3):
        out[c] = palette[k, c]
    if pattern == 0:
        return
    if pattern == 1:  # stripes along the part
        mark = math.sin(scale * v) > 0.2
    elif pattern == 2:  # checks
        mark = math.sin(scale * u) * math.sin(scale * v) * math.sin(scale * w) > 0.0
    else:  # spots
        mark = math.sin(scale * u + 1.3) + math.sin(scale * v) + math.sin(scale * w + 2.1) > 1.5
    if mark:
        other = (part + 1) % palette.shape[0]
        for c in range(3):
            out[c] = 0.35 * out[c] + 0.65 * palette[other, c]


@njit(cache=True, fastmath=True)
def trace(
    kind,
    size,
    rot,
    pos,
    bound,
    colour,
    blend,
    warp,
    slope,
    origin,
    rays,
    near,
    far,
    pixel,
    palette,
    pattern,
    pattern_scale,
    light,
    ambient,
):
    """Straight-alpha RGBA [H,W,4] in 0..1 of one frame.

    ``rays [H,W,3]`` are unit directions from ``origin [3]`` in object space, ``pixel`` the angle one pixel covers in
    radians, ``slope`` an upper bound of the field's gradient, ``light [3]`` the unit direction towards the light.
    """
    height, width = rays.shape[0], rays.shape[1]
    out = np.zeros((height, width, 4))
    albedo = np.empty(3)
    for i in range(height):
        for j in range(width):
            dx, dy, dz = rays[i, j, 0], rays[i, j, 1], rays[i, j, 2]
            t, best, best_t, hit = near, 1e9, near, False
            for _ in range(96):
                d = (
                    body(
                        kind,
                        size,
                        rot,
                        pos,
                        bound,
                        blend,
                        warp,
                        origin[0] + t * dx,
                        origin[1] + t * dy,
                        origin[2] + t * dz,
                    )
                    / slope
                )
                miss = d * slope / (t * pixel)
                if miss < best:
                    best, best_t = miss, t
                if d < 0.15 * t * pixel:
                    hit = True
                    best_t = t
                    break
                t += d
                if t > far:
                    break
            cover = 1.0 if hit else max(0.0, 0.75 - best)
            if cover <= 0.0:
                continue
            x, y, z = origin[0] + best_t * dx, origin[1] + best_t * dy, origin[2] + best_t * dz
            d, gx, gy, gz = body_gradient(kind, size, rot, pos, bound, blend, warp, x, y, z, 2e-3)
            n = max(math.sqrt(gx * gx + gy * gy + gz * gz), 1e-9)
            gx, gy, gz = gx / n, gy / n, gz / n
            part, u, v, w = owner(kind, size, rot, pos, warp, x, y, z)
            _albedo(palette, pattern, pattern_scale, colour[part], u, v, w, albedo)
            key = max(gx * light[0] + gy * light[1] + gz * light[2], 0.0)
            facing = max(-(gx * dx + gy * dy + gz * dz), 0.0)
            shade = ambient + (0.9 - ambient) * key + 0.25 * facing + 0.08 * gy
            for c in range(3):
                out[i, j, c] = min(max(albedo[c] * shade, 0.0), 1.0)
            out[i, j, 3] = min(cover, 1.0)
    return out
