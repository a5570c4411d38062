"""Compiled evaluation of a posed body: distance, gradient, surface samples and correspondence.

A body is a smooth union of primitives seen through an invertible warp. Distances are negative inside here, as
usual for implicit modelling; :mod:`shapegen4d_core.data.procedural` flips them to the positive-inside convention.
All functions work in float64 on one frame: ``kind [K]``, ``size [K,4]``, ``rot [K,3,3]``, ``pos [K,3]``,
``bound [K]``, ``blend``, ``warp [8]``.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

FAR = 1e9


@njit(cache=True, fastmath=True, inline="always")
def _primitive(kind, size, x, y, z):
    if kind == 0:  # ellipsoid, first-order distance
        a, b, c = x / size[0], y / size[1], z / size[2]
        k0 = math.sqrt(a * a + b * b + c * c)
        a, b, c = a / size[0], b / size[1], c / size[2]
        k1 = math.sqrt(a * a + b * b + c * c)
        if k1 < 1e-9:
            return -min(size[0], min(size[1], size[2]))
        return k0 * (k0 - 1.0) / k1
    if kind == 1:  # round cone from -h/2 (radius size[0]) to +h/2 (radius size[1])
        h = size[2]
        v = y + 0.5 * h
        u = math.sqrt(x * x + z * z)
        slope = (size[0] - size[1]) / h
        if slope > 0.999:
            return math.sqrt(u * u + v * v) - size[0]
        if slope < -0.999:
            return math.sqrt(u * u + (v - h) * (v - h)) - size[1]
        run = math.sqrt(1.0 - slope * slope)
        k = v * run - u * slope
        if k < 0.0:
            return math.sqrt(u * u + v * v) - size[0]
        if k > run * h:
            return math.sqrt(u * u + (v - h) * (v - h)) - size[1]
        return u * run + v * slope - size[0]
    if kind == 2:  # rounded box
        r = size[3]
        a, b, c = abs(x) - size[0] + r, abs(y) - size[1] + r, abs(z) - size[2] + r
        m, n, o = max(a, 0.0), max(b, 0.0), max(c, 0.0)
        return math.sqrt(m * m + n * n + o * o) + min(max(a, max(b, c)), 0.0) - r
    if kind == 3:  # torus
        q = math.sqrt(x * x + z * z) - size[0]
        return math.sqrt(q * q + y * y) - size[1]
    r = size[2]  # rounded cylinder
    a, b = math.sqrt(x * x + z * z) - size[0] + r, abs(y) - size[1] + r
    m, n = max(a, 0.0), max(b, 0.0)
    return math.sqrt(m * m + n * n) + min(max(a, b), 0.0) - r


@njit(cache=True, fastmath=True, inline="always")
def unwarp(warp, x, y, z):
    """Position before the warp of a point given after it."""
    if warp[3] != 0.0:
        if warp[7] == 0.0:
            run = x - warp[6]
            z = z - warp[3] * max(run, 0.0) * math.sin(warp[4] * x + warp[5])
        else:
            run = y - warp[6]
            x = x - warp[3] * max(run, 0.0) * math.sin(warp[4] * y + warp[5])
    x = x - warp[1] * y * y
    z = z - warp[2] * y * y
    if warp[0] != 0.0:
        c, s = math.cos(warp[0] * y), math.sin(warp[0] * y)
        x, z = c * x - s * z, s * x + c * z
    return x, y, z


@njit(cache=True, fastmath=True, inline="always")
def rewarp(warp, x, y, z):
    """Position after the warp of a point given before it; the exact inverse of :func:`unwarp`."""
    if warp[0] != 0.0:
        c, s = math.cos(warp[0] * y), math.sin(warp[0] * y)
        x, z = c * x + s * z, -s * x + c * z
    x = x + warp[1] * y * y
    z = z + warp[2] * y * y
    if warp[3] != 0.0:
        if warp[7] == 0.0:
            run = x - warp[6]
            z = z + warp[3] * max(run, 0.0) * math.sin(warp[4] * x + warp[5])
        else:
            run = y - warp[6]
            x = x + warp[3] * max(run, 0.0) * math.sin(warp[4] * y + warp[5])
    return x, y, z


@njit(cache=True, fastmath=True)
def body(kind, size, rot, pos, bound, blend, warp, x, y, z):
    """Signed distance estimate of the blended body, negative inside."""
    x, y, z = unwarp(warp, x, y, z)
    d = FAR
    for k in range(kind.shape[0]):
        a, b, c = x - pos[k, 0], y - pos[k, 1], z - pos[k, 2]
        gap = math.sqrt(a * a + b * b + c * c) - bound[k]
        if gap > d + blend:
            continue
        p = rot[k, 0, 0] * a + rot[k, 1, 0] * b + rot[k, 2, 0] * c
        q = rot[k, 0, 1] * a + rot[k, 1, 1] * b + rot[k, 2, 1] * c
        r = rot[k, 0, 2] * a + rot[k, 1, 2] * b + rot[k, 2, 2] * c
        e = _primitive(kind[k], size[k], p, q, r)
        if d == FAR:
            d = e
        else:
            overlap = max(blend - abs(d - e), 0.0)
            d = min(d, e) - (0.25 * overlap * overlap / blend if blend > 0.0 else 0.0)
    return d


@njit(cache=True, fastmath=True)
def owner(kind, size, rot, pos, warp, x, y, z):
    """Index of the part whose own surface is nearest, and the point's coordinates in that part's axes."""
    x, y, z = unwarp(warp, x, y, z)
    best, index = FAR, 0
    u, v, w = 0.0, 0.0, 0.0
    for k in range(kind.shape[0]):
        a, b, c = x - pos[k, 0], y - pos[k, 1], z - pos[k, 2]
        p = rot[k, 0, 0] * a + rot[k, 1, 0] * b + rot[k, 2, 0] * c
        q = rot[k, 0, 1] * a + rot[k, 1, 1] * b + rot[k, 2, 1] * c
        r = rot[k, 0, 2] * a + rot[k, 1, 2] * b + rot[k, 2, 2] * c
        e = _primitive(kind[k], size[k], p, q, r)
        if e < best:
            best, index = e, k
            u, v, w = p, q, r
    return index, u, v, w


@njit(cache=True, fastmath=True)
def body_gradient(kind, size, rot, pos, bound, blend, warp, x, y, z, h):
    """Central-difference gradient of :func:`body`, and the value at the point."""
    d = body(kind, size, rot, pos, bound, blend, warp, x, y, z)
    gx = body(kind, size, rot, pos, bound, blend, warp, x + h, y, z) - body(
        kind, size, rot, pos, bound, blend, warp, x - h, y, z
    )
    gy = body(kind, size, rot, pos, bound, blend, warp, x, y + h, z) - body(
        kind, size, rot, pos, bound, blend, warp, x, y - h, z
    )
    gz = body(kind, size, rot, pos, bound, blend, warp, x, y, z + h) - body(
        kind, size, rot, pos, bound, blend, warp, x, y, z - h
    )
    return d, gx / (2 * h), gy / (2 * h), gz / (2 * h)


@njit(cache=True, fastmath=True)
def distances(kind, size, rot, pos, bound, blend, warp, points, first_order):
    """Distances [P] at ``points [P,3]``; ``first_order`` divides by the gradient's length near the surface."""
    out = np.empty(points.shape[0])
    for i in range(points.shape[0]):
        x, y, z = points[i, 0], points[i, 1], points[i, 2]
        d = body(kind, size, rot, pos, bound, blend, warp, x, y, z)
        if first_order and abs(d) < 0.5:
            d, gx, gy, gz = body_gradient(kind, size, rot, pos, bound, blend, warp, x, y, z, 1e-3)
            d = d / max(math.sqrt(gx * gx + gy * gy + gz * gz), 0.3)
        out[i] = d
    return out


@njit(cache=True, fastmath=True)
def project(kind, size, rot, pos, bound, blend, warp, points, steps):
    """Newton projection onto the surface: positions [P,3] and outward unit normals [P,3]."""
    where, normal = np.empty_like(points), np.empty_like(points)
    for i in range(points.shape[0]):
        x, y, z = points[i, 0], points[i, 1], points[i, 2]
        gx, gy, gz = 0.0, 1.0, 0.0
        for step in range(steps + 1):
            d, gx, gy, gz = body_gradient(kind, size, rot, pos, bound, blend, warp, x, y, z, 1e-3)
            square = max(gx * gx + gy * gy + gz * gz, 0.05)
            if step == steps or abs(d) < 1e-5:
                break
            shift = max(min(d / square, 0.15), -0.15)
            x, y, z = x - shift * gx, y - shift * gy, z - shift * gz
        length = max(math.sqrt(gx * gx + gy * gy + gz * gz), 1e-9)
        where[i, 0], where[i, 1], where[i, 2] = x, y, z
        normal[i, 0], normal[i, 1], normal[i, 2] = gx / length, gy / length, gz / length
    return where, normal


@njit(cache=True, fastmath=True)
def shell_samples(kind, size, rot, pos, bound, blend, warp, low, high, width, count, limit, seed):
    """Up to ``count`` uniform points [n,3] with |distance| < ``width`` inside the box ``low``..``high``."""
    np.random.seed(seed)
    out = np.empty((count, 3))
    n = 0
    for _ in range(limit):
        if n == count:
            break
        x = low[0] + (high[0] - low[0]) * np.random.random()
        y = low[1] + (high[1] - low[1]) * np.random.random()
        z = low[2] + (high[2] - low[2]) * np.random.random()
        d = body(kind, size, rot, pos, bound, blend, warp, x, y, z)
        if abs(d) > 3 * width:
            continue
        d, gx, gy, gz = body_gradient(kind, size, rot, pos, bound, blend, warp, x, y, z, 1e-3)
        if abs(d) < width * max(math.sqrt(gx * gx + gy * gy + gz * gz), 0.3):
            out[n, 0], out[n, 1], out[n, 2] = x, y, z
            n += 1
    return out[:n]


@njit(cache=True, fastmath=True)
def local_coordinates(kind, size, rot, pos, warp, points):
    """Owning part [P] and coordinates in its axes [P,3] of surface points."""
    index = np.empty(points.shape[0], dtype=np.int64)
    local = np.empty_like(points)
    for i in range(points.shape[0]):
        k, u, v, w = owner(kind, size, rot, pos, warp, points[i, 0], points[i, 1], points[i, 2])
        index[i] = k
        local[i, 0], local[i, 1], local[i, 2] = u, v, w
    return index, local


@njit(cache=True, fastmath=True)
def place(rot, pos, warp, index, local):
    """Positions [P,3] of points given by owning part and local coordinates, in this frame's pose."""
    out = np.empty_like(local)
    for i in range(local.shape[0]):
        k = index[i]
        x = pos[k, 0] + rot[k, 0, 0] * local[i, 0] + rot[k, 0, 1] * local[i, 1] + rot[k, 0, 2] * local[i, 2]
        y = pos[k, 1] + rot[k, 1, 0] * local[i, 0] + rot[k, 1, 1] * local[i, 1] + rot[k, 1, 2] * local[i, 2]
        z = pos[k, 2] + rot[k, 2, 0] * local[i, 0] + rot[k, 2, 1] * local[i, 1] + rot[k, 2, 2] * local[i, 2]
        x, y, z = rewarp(warp, x, y, z)
        out[i, 0], out[i, 1], out[i, 2] = x, y, z
    return out
