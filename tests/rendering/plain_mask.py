"""The soft mask pair of pixels by pair of pixels, in plain Python: slow, and short enough to check by eye."""

from __future__ import annotations

from itertools import combinations

import numpy as np


def plain_soft_mask(vertices, faces, intrinsics, rotation, translation, hard) -> np.ndarray:
    """Coverage [H,W] from the ``hard`` mask [H,W] of 0 and 1 and the outline of a mesh in front of the camera."""
    points = vertices @ rotation.T + translation
    pixels = points @ intrinsics.T
    pixels = pixels[:, :2] / pixels[:, 2:]
    mask = hard.astype(np.float64)
    segments = [pixels[list(edge)] for edge in outline(points, faces)]
    rows = [s for s in segments if abs(s[0, 1] - s[1, 1]) >= abs(s[0, 0] - s[1, 0])]
    columns = [s[:, ::-1] for s in segments if abs(s[0, 1] - s[1, 1]) < abs(s[0, 0] - s[1, 0])]
    soften(mask, hard, rows)
    soften(mask.T, hard.T, columns)  # views of the same arrays
    return mask


def outline(points, faces) -> list[tuple[int, int]]:
    """Edges whose faces lie on one side of them as seen from the origin, or that do not have two faces."""
    apexes: dict[tuple[int, int], list[int]] = {}
    for face in faces:
        for a, b in combinations(range(3), 2):
            key = tuple(sorted((int(face[a]), int(face[b]))))
            apexes.setdefault(key, []).append(int(face[3 - a - b]))
    found = []
    for (a, b), tips in apexes.items():
        sides = [np.dot(np.cross(points[a], points[b]), points[tip]) for tip in tips]
        if len(tips) != 2 or sides[0] * sides[1] > 0:
            found.append((a, b))
    return found


def soften(mask, hard, segments) -> None:
    """Blend neighbours in each row of ``mask`` by the outermost of the ``segments`` (x, y) between their centres."""
    before = mask.copy()
    for row in range(hard.shape[0]):
        for column in range(hard.shape[1] - 1):
            if hard[row, column] == hard[row, column + 1]:
                continue
            first_inside = hard[row, column] > 0
            shares = []
            for (x0, y0), (x1, y1) in segments:
                if min(y0, y1) <= row + 0.5 < max(y0, y1):
                    s = x0 + (row + 0.5 - y0) / (y1 - y0) * (x1 - x0) - (column + 0.5)
                    if 0 <= s < 1:
                        shares.append(s if first_inside else 1 - s)
            if not shares:
                continue
            share = max(shares)
            inside, outside = (column, column + 1) if first_inside else (column + 1, column)
            change = (share - 0.5) * (before[row, inside] - before[row, outside])
            mask[row, outside if share >= 0.5 else inside] += change
