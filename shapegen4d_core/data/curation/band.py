"""Loops over grid vertices near a mesh, compiled: which are close to a triangle, and which places a solid fills."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

SLACK = 0.9


@njit(cache=True)
def near_triangles(corners, shape, reach):
    """Grid vertices of a block, bool [shape], that may lie within ``reach`` cells of triangles ``corners [F,3,3]``.

    Positions are in cells, vertex (i,j,k) at (i,j,k). All closer ones are among them: the triangle's box and plane,
    both widened, are tested.
    """
    out = np.zeros(shape, dtype=np.bool_)
    low, high = np.empty(3, np.int64), np.empty(3, np.int64)
    for f in range(corners.shape[0]):
        a, b, c = corners[f, 0], corners[f, 1], corners[f, 2]
        for axis in range(3):
            low[axis] = max(0, math.ceil(min(a[axis], min(b[axis], c[axis])) - reach))
            high[axis] = min(shape[axis] - 1, math.floor(max(a[axis], max(b[axis], c[axis])) + reach))
        ux, uy, uz = b[0] - a[0], b[1] - a[1], b[2] - a[2]
        vx, vy, vz = c[0] - a[0], c[1] - a[1], c[2] - a[2]
        nx, ny, nz = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
        limit = reach * math.sqrt(nx * nx + ny * ny + nz * nz)
        offset = nx * a[0] + ny * a[1] + nz * a[2]
        for i in range(low[0], high[0] + 1):
            for j in range(low[1], high[1] + 1):
                part = nx * i + ny * j - offset
                for k in range(low[2], high[2] + 1):
                    if abs(part + nz * k) <= limit:
                        out[i, j, k] = True
    return out


@njit(cache=True)
def _value(field, x, y, z):
    """Trilinear value of a field [block] at a position in cells."""
    i = min(max(int(x), 0), field.shape[0] - 2)
    j = min(max(int(y), 0), field.shape[1] - 2)
    k = min(max(int(z), 0), field.shape[2] - 2)
    a, b, c = x - i, y - j, z - k
    low = (field[i, j, k] * (1 - c) + field[i, j, k + 1] * c) * (1 - b)
    low += (field[i, j + 1, k] * (1 - c) + field[i, j + 1, k + 1] * c) * b
    high = (field[i + 1, j, k] * (1 - c) + field[i + 1, j, k + 1] * c) * (1 - b)
    high += (field[i + 1, j + 1, k] * (1 - c) + field[i + 1, j + 1, k + 1] * c) * b
    return low * (1 - a) + high * a


@njit(cache=True)
def _reached(field, x, y, z, radius, slack, step, span):
    """Whether a ball inside the solid, centred on a lattice of ``step`` around the place, comes within ``slack``."""
    top_x, top_y, top_z = field.shape[0] - 1.0, field.shape[1] - 1.0, field.shape[2] - 1.0
    start_x, start_y, start_z = math.floor(x / step) * step, math.floor(y / step) * step, math.floor(z / step) * step
    for i in range(-span, span + 2):
        px = start_x + i * step
        for j in range(-span, span + 2):
            py = start_y + j * step
            for k in range(-span, span + 2):
                pz = start_z + k * step
                if px < 0 or py < 0 or pz < 0 or px > top_x or py > top_y or pz > top_z:
                    continue
                value = _value(field, px, py, pz)
                if value < radius:
                    continue
                gap = math.sqrt((px - x) ** 2 + (py - y) ** 2 + (pz - z) ** 2)
                if gap <= value + slack:
                    return True
    return False


@njit(cache=True)
def touched(field, places, radius):
    """For each place [n,3]: whether a ball of at least ``radius`` cells inside the solid comes near it.

    ``field`` [block] is the signed distance in cells, positive inside, good to three cells. "Near" is within
    0.9 cells, a little more than the ball in the corner of a cube leaves free.
    """
    out = np.empty(places.shape[0], dtype=np.bool_)
    for n in range(places.shape[0]):
        x, y, z = places[n, 0], places[n, 1], places[n, 2]
        out[n] = _reached(field, x, y, z, radius, SLACK, 1.0, 2) or _reached(field, x, y, z, radius, SLACK, 0.5, 3)
    return out
