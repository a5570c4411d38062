"""The sums over vertices and frames that every step of the fit is made of.

A skin is bilinear: with the weights times the rest places in one matrix Z [V,4J] (row i, joint j: w_ij (p_i, 1)) and
the motions in another X [3T,4J] (row of frame and axis, joint j: that row of (R_j, t_j)), the frames are Z X^T. So the
fit needs Z^T Z, X^T X, V X and Z^T V only, and no step after those depends on vertices times frames.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from ..progress import Check

FRAME_BLOCK = 16  # frames unpacked to float64 at a time
VERTEX_BLOCK = 4096


class Frames:
    """The frames of a sequence in coordinates of the fit: centre of the box 0, its diagonal 1, float64."""

    def __init__(self, vertices: Sequence[np.ndarray], chosen: np.ndarray, centre: np.ndarray, size: float) -> None:
        self._vertices, self._chosen, self._centre, self._size = vertices, chosen, centre, size
        self.frame_count, self.vertex_count = len(vertices), len(chosen)

    def only(self, rows: np.ndarray) -> Frames:
        """The same frames with some of the vertices."""
        return Frames(self._vertices, self._chosen[rows], self._centre, self._size)

    def __getitem__(self, frame: int) -> np.ndarray:
        """Vertices [V,3] of one frame."""
        return (self._vertices[frame][self._chosen].astype(np.float64) - self._centre) / self._size

    def blocks(self, check: Check | None = None) -> Iterator[tuple[int, np.ndarray]]:
        """First frame and vertices [V,3B] of runs of B frames; ``check`` is called before each frame."""
        for start in range(0, self.frame_count, FRAME_BLOCK):
            run = []
            for frame in range(start, min(start + FRAME_BLOCK, self.frame_count)):
                if check is not None:
                    check()
                run.append(self[frame])
            yield start, np.concatenate(run, axis=1)


def vertex_blocks(vertex_count: int, check: Check | None = None) -> Iterator[slice]:
    """All vertices in blocks small enough that a cancel between two takes effect at once."""
    for start in range(0, vertex_count, VERTEX_BLOCK):
        if check is not None:
            check()
        yield slice(start, start + VERTEX_BLOCK)


def homogeneous(points: np.ndarray) -> np.ndarray:
    """Points [V,4] with a 1 behind each of [V,3]."""
    return np.concatenate([points, np.ones((len(points), 1))], axis=1)


def motion_rows(motions: np.ndarray) -> np.ndarray:
    """Motions [T,J,3,4] as the matrix X [3T,4J]."""
    frame_count, joint_count = motions.shape[:2]
    return motions.transpose(0, 2, 1, 3).reshape(3 * frame_count, 4 * joint_count)


def motion_products(motions: np.ndarray) -> np.ndarray:
    """X^T X as [J,J,4,4]: the products of the motions of every two joints, summed over frames."""
    rows = motion_rows(motions)
    joint_count = motions.shape[1]
    return (rows.T @ rows).reshape(joint_count, 4, joint_count, 4).transpose(0, 2, 1, 3)


def pulls(frames: Frames, motions: np.ndarray, check: Check | None = None) -> np.ndarray:
    """V X as [V,J,4]: the frames' vertices turned back by every joint, summed over frames."""
    rows = motion_rows(motions)
    total = np.zeros((frames.vertex_count, rows.shape[1]))
    for start, block in frames.blocks(check):
        columns = rows[3 * start : 3 * start + block.shape[1]]
        for chosen in vertex_blocks(frames.vertex_count, check):
            total[chosen] += block[chosen] @ columns
    return total.reshape(frames.vertex_count, -1, 4)


def joint_sums(
    frames: Frames, rest: np.ndarray, weights: np.ndarray, check: Check | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Z^T Z [4J,4J] and, by frame, the transpose of V^T Z [T,4J,3], for rest places [V,3] and weights [V,J]."""
    places, size = homogeneous(rest), 4 * weights.shape[1]
    targets = np.zeros((frames.frame_count, size, 3))
    for start, block in frames.blocks(check):
        for chosen in vertex_blocks(len(rest), check):
            found = (_weighted(places[chosen], weights[chosen]).T @ block[chosen]).reshape(size, -1, 3)
            targets[start : start + found.shape[1]] += found.transpose(1, 0, 2)
    squares = np.zeros((size, size))
    for chosen in vertex_blocks(len(rest), check):
        rows = _weighted(places[chosen], weights[chosen])
        squares += rows.T @ rows
    return squares, targets


def _weighted(places: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Rows of Z [N,4J] of places [N,4] and weights [N,J]."""
    return (weights[:, :, None] * places[:, None, :]).reshape(len(places), -1)
