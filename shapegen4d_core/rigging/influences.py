"""The weights of every vertex, at most K joints each, for motions that stay as they are."""

from __future__ import annotations

import numpy as np

from ..progress import Check
from .moments import homogeneous
from .simplex import simplex_weights

_BLOCK_NUMBERS = 1 << 19  # of the matrices of one block of vertices: a fraction of a second, 4 MiB
_CANDIDATES = 32  # joints that are weighed against each other for one vertex
_PAIRS = [(0, 0), (1, 1), (2, 2), (3, 3), (0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)]


def improved_weights(
    rest: np.ndarray,
    weights: np.ndarray,
    products: np.ndarray,
    pulled: np.ndarray,
    most: int,
    check: Check | None = None,
) -> np.ndarray:
    """Weights [V,J], not negative, sum 1, at most ``most`` above 0 in a row, that fit no worse than ``weights``.

    Each row is the better of two: the best weights of all joints cut down to the largest ``most`` and solved again (Le
    and Deng 2012, section 4.1), and those of the joints it had before. Of more than 32 joints, those are considered
    that carry the vertex best on their own, and those it had. ``products`` [J,J,4,4] and ``pulled`` [V,J,4] are
    :func:`.moments.motion_products` and :func:`.moments.pulls`.
    """
    places, table = homogeneous(rest), _table(products)
    joint_count = weights.shape[1]
    found = np.empty_like(weights)
    block = max(256, _BLOCK_NUMBERS // joint_count**2)
    for start in range(0, len(rest), block):
        if check is not None:
            check()
        rows = slice(start, start + block)
        squares = (_monomials(places[rows]) @ table).reshape(-1, joint_count, joint_count)
        targets = np.einsum("vjk,vk->vj", pulled[rows], places[rows])
        found[rows] = _best_of_candidates(squares, targets, weights[rows], most)
    return found


def joint_errors(places: np.ndarray, products: np.ndarray, pulled: np.ndarray) -> np.ndarray:
    """Squared error [V,J] of every vertex if it followed one joint only, less what does not depend on the joint."""
    joints = np.arange(len(products))
    squares = _monomials(places) @ _table(products[joints, joints][:, None])
    return squares - 2 * np.einsum("vjk,vk->vj", pulled, places)


def _best_of_candidates(squares: np.ndarray, targets: np.ndarray, before: np.ndarray, most: int) -> np.ndarray:
    if before.shape[1] <= _CANDIDATES:
        return _best(squares, targets, before, most)
    alone = np.einsum("njj->nj", squares) - 2 * targets
    chosen = np.argsort(np.where(before > 0, -np.inf, alone), axis=1, kind="stable")[:, :_CANDIDATES]
    some = np.take_along_axis(targets, chosen, axis=1), np.take_along_axis(before, chosen, axis=1)
    found = np.zeros_like(before)
    np.put_along_axis(found, chosen, _best(_submatrices(squares, chosen), *some, most), axis=1)
    return found


def _submatrices(squares: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """The rows and columns ``chosen`` [N,C] of matrices [N,J,J]."""
    return squares[np.arange(len(chosen))[:, None, None], chosen[:, :, None], chosen[:, None, :]]


def _best(squares: np.ndarray, targets: np.ndarray, before: np.ndarray, most: int) -> np.ndarray:
    free = simplex_weights(squares, targets, before)
    many = (free > 0).sum(axis=1) > most
    if not many.any():
        return free
    squares, targets = squares[many], targets[many]
    cut = [_among(squares, targets, start, most) for start in (free[many], before[many])]
    worse = objective(squares, targets, cut[0]) > objective(squares, targets, cut[1])
    free[many] = np.where(worse[:, None], cut[1], cut[0])
    return free


def _among(squares: np.ndarray, targets: np.ndarray, start: np.ndarray, most: int) -> np.ndarray:
    """The best weights [N,J] of the ``most`` joints that are largest in ``start`` [N,J]."""
    chosen = np.argsort(-start, axis=1, kind="stable")[:, :most]
    found = simplex_weights(_submatrices(squares, chosen), np.take_along_axis(targets, chosen, axis=1))
    weights = np.zeros_like(start)
    np.put_along_axis(weights, chosen, found, axis=1)
    return weights


def objective(squares: np.ndarray, targets: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """w^T G w - 2 g^T w of each row [N]."""
    return np.einsum("nj,njk,nk->n", weights, squares, weights) - 2 * (targets * weights).sum(axis=1)


def _monomials(places: np.ndarray) -> np.ndarray:
    """Products [V,10] of every two coordinates of places [V,4]."""
    return np.stack([places[:, p] * places[:, q] for p, q in _PAIRS], axis=1)


def _table(products: np.ndarray) -> np.ndarray:
    """What the monomials count for in p^T N p, [10,J*J], for N [J,J,4,4]."""
    rows = [products[..., p, q] + (products[..., q, p] if p != q else 0) for p, q in _PAIRS]
    return np.stack([row.reshape(-1) for row in rows])
