"""Following a surface over the grid, so that every cell it crosses has eight evaluated corners.

A cell is crossed when its corners have both signs. Corners that carry only a guessed sign are evaluated;
where a guess was wrong the cells around it are looked at again, until nothing changes. This ends because
every round evaluates new vertices, and it never depends on how good the guesses were.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

SLAB = 32  # planes of cells looked at together in the first pass, to keep temporaries small


def follow_surface(values: Tensor, known: Tensor, evaluate: Callable[[Tensor], Tensor]) -> None:
    """Evaluate, in place, the unknown vertices of ``values`` [n,n,n] that matter to the surface at 0.

    known: bool [n,n,n], True where ``values`` was evaluated; elsewhere it holds a guess of the right size.
    evaluate: flat indices int64 [P] -> values [P].
    """
    line, mask = values.view(-1), known.view(-1)
    wanted = _crossed_corners(values, known)
    while len(wanted):
        guess = line[wanted] >= 0
        line[wanted] = evaluate(wanted)
        mask[wanted] = True
        wrong = wanted[(line[wanted] >= 0) != guess]
        corners = _corners_around(wrong, line, values.shape[0])
        wanted = corners[~mask[corners]]


def _crossed_corners(values: Tensor, known: Tensor) -> Tensor:
    """Flat indices of unknown corners of crossed cells, and of unknown inside vertices on the box's faces."""
    side = values.shape[0]
    touched = torch.zeros(values.shape, dtype=torch.bool, device=values.device)
    for start in range(0, side - 1, SLAB):
        inside = values[start : start + SLAB + 1] >= 0
        some, every = inside, inside
        for axis in range(3):
            some, every = _pairs(some, axis, torch.logical_or), _pairs(every, axis, torch.logical_and)
        crossed = some & ~every
        if crossed.any():
            touched[start : start + SLAB + 1] |= _to_corners(crossed)
    for axis in range(3):
        for plane in (0, side - 1):  # the outside of the box counts as empty, so the surface passes here
            touched.select(axis, plane).logical_or_(values.select(axis, plane) >= 0)
    return (touched & ~known).view(-1).nonzero().squeeze(1)


def _pairs(x: Tensor, axis: int, join: Callable) -> Tensor:
    """Join neighbours along an axis: n entries become n-1."""
    count = x.shape[axis] - 1
    return join(x.narrow(axis, 0, count), x.narrow(axis, 1, count))


def _to_corners(cells: Tensor) -> Tensor:
    """Vertices [a+1,b+1,c+1] that are a corner of a True cell [a,b,c]."""
    for axis in range(3):
        shape = list(cells.shape)
        shape[axis] += 1
        corners = torch.zeros(shape, dtype=torch.bool, device=cells.device)
        corners.narrow(axis, 0, shape[axis] - 1).copy_(cells)
        corners.narrow(axis, 1, shape[axis] - 1).logical_or_(cells)
        cells = corners
    return cells


def _corners_around(vertices: Tensor, line: Tensor, side: int) -> Tensor:
    """Flat indices of all corners of the crossed cells that touch ``vertices`` (flat indices, evaluated)."""
    device = vertices.device
    steps = torch.cartesian_prod(*[torch.arange(2, device=device)] * 3)  # [8,3]
    offsets = (steps * torch.tensor([side * side, side, 1], device=device)).sum(1)
    place = torch.stack([vertices // (side * side), vertices // side % side, vertices % side], dim=1)
    cells = place[:, None] - steps  # [W,8,3] lowest corner of each cell around a vertex
    fits = ((cells >= 0) & (cells < side - 1)).all(-1)
    corners = (vertices[:, None] - offsets)[fits].unique()[:, None] + offsets  # [K,8]
    inside = line[corners] >= 0
    crossed = inside.any(1) & ~inside.all(1)
    return corners[crossed].unique()
