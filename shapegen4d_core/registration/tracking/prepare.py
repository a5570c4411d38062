"""What is tracked: checked frames in one unit box, and the anchor's mesh welded and simplified."""

from __future__ import annotations

import numpy as np

from ...errors import InputError
from ...geometry.decimate import decimate
from ...geometry.mesh import area_vectors, drop_unused_vertices
from ...geometry.surface_points import UnitBox, unit_box
from ...sequence import MeshSequence


def checked_box(meshes: MeshSequence) -> UnitBox:
    """The box of the whole sequence; raises InputError for one frame, and for frames without a surface."""
    if meshes.frame_count < 2:
        raise InputError("Tracking was given one frame, which has one topology already; leave this step out.")
    empty = [str(t + 1) for t, faces in enumerate(meshes.faces) if len(faces) == 0]
    if empty:
        raise InputError(
            f"Tracking was given frames without a surface ({', '.join(empty)}); leave them out or lower the level of "
            "the decoder."
        )
    box = unit_box(meshes.vertices)
    for frame, (vertices, faces) in enumerate(zip(meshes.vertices, meshes.faces)):
        if not np.linalg.norm(area_vectors(vertices, faces), axis=1).sum() > 1e-9 * box.half_side**2:
            raise InputError(f"Tracking was given frame {frame + 1} whose faces have no area; leave it out.")
    return box


def template_mesh(vertices: np.ndarray, faces: np.ndarray, max_faces: int) -> tuple[np.ndarray, np.ndarray]:
    """The mesh that is carried: corners at one place welded, faces without area dropped, at most ``max_faces``.

    Returns float32 [V,3] and int32 [F,3]. Edges of more than two faces are kept as they are: rigidity is defined for
    them as well.
    """
    _, first, number = np.unique(vertices, axis=0, return_index=True, return_inverse=True)
    order = np.argsort(first, kind="stable")  # keep the file's order of vertices
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    points, triangles = vertices[first[order]], rank[number.reshape(-1)][faces].astype(np.int32)
    points, triangles = decimate(*_solid(points, triangles), max_faces)
    return _solid(points, triangles)


def _solid(vertices: np.ndarray, faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The mesh without faces that name a vertex twice or have no area."""
    thin = np.linalg.norm(area_vectors(vertices, faces), axis=1) <= 1e-14
    twice = (faces == np.roll(faces, 1, axis=1)).any(axis=1)
    return drop_unused_vertices(vertices, faces[~(thin | twice)])
