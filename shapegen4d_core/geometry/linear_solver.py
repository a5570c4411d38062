"""One symmetric positive definite sparse matrix, factored once and solved for many right-hand sides."""

from __future__ import annotations

import importlib.util

import numpy as np
from scipy.sparse import csc_array
from scipy.sparse.linalg import splu

from ..errors import InputError
from ..optional_packages import missing

BACKENDS = ("auto", "scipy", "cholespy")


class Factored:
    """The factors of a symmetric positive definite matrix [N,N].

    ``backend`` "auto" takes cholespy's Cholesky factors when that package is installed (about five times quicker to
    solve), else SciPy's LU factors, which differ by rounding only. Raises InputError for an unknown backend, one that
    is not installed, and a singular matrix.
    """

    def __init__(self, matrix: csc_array, backend: str = "auto") -> None:
        if backend not in BACKENDS:
            raise InputError(f"Solver backend is {backend!r}; accepted are {', '.join(BACKENDS)}.")
        installed = importlib.util.find_spec("cholespy") is not None
        if backend == "cholespy" and not installed:
            raise missing("The cholespy backend needs", "cholespy", ", or take scipy")
        matrix = csc_array(matrix)
        chosen = "cholespy" if backend != "scipy" and installed else "scipy"
        self._solve = _cholespy_factors(matrix) if chosen == "cholespy" else _scipy_factors(matrix)

    def solve(self, right: np.ndarray) -> np.ndarray:
        """Solutions float64 [N,C] for right-hand sides [N,C]."""
        return self._solve(np.ascontiguousarray(right, dtype=np.float64))


def _scipy_factors(matrix: csc_array):
    try:
        return splu(matrix, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True}).solve
    except RuntimeError as error:
        raise InputError(f"A matrix of {matrix.shape[0]} rows is singular and cannot be solved.") from error


def _cholespy_factors(matrix: csc_array):
    from cholespy import CholeskySolverD, MatrixType

    entries = matrix.tocoo()
    rows, columns = (np.ascontiguousarray(index, np.int32) for index in entries.coords)
    values = np.ascontiguousarray(entries.data, np.float64)
    solver = CholeskySolverD(matrix.shape[0], rows, columns, values, MatrixType.COO)

    def solve(right: np.ndarray) -> np.ndarray:
        result = np.zeros_like(right)
        solver.solve(right, result)
        return result

    return solve
