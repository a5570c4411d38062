"""Meshes with fewer faces."""

from __future__ import annotations

import numpy as np

from ..errors import InputError
from .mesh import drop_unused_vertices


def decimate(vertices: np.ndarray, faces: np.ndarray, max_faces: int) -> tuple[np.ndarray, np.ndarray]:
    """The mesh with at most ``max_faces`` faces, by quadric edge collapse; unchanged when it has no more.

    A closed mesh stays closed in practice and is checked by the caller. Very small budgets for many parts may
    not be reached. Raises InputError when fast-simplification is not installed.
    """
    if len(faces) <= max_faces:
        return vertices, faces
    try:
        import fast_simplification
    except ImportError as error:
        raise InputError(
            "max_faces needs the package fast-simplification; install it or leave max_faces empty."
        ) from error
    points, triangles = fast_simplification.simplify(vertices, faces, target_count=max_faces)
    return drop_unused_vertices(points.astype(np.float32), triangles.astype(np.int32))
