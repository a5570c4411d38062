"""What registration gives back: placed meshes, their camera, and the overlap of outlines in every frame."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from torch import Tensor

from ...progress import Check
from ...sequence import Camera, Clip, MeshSequence
from ..outlines import SEEN, overlap, silhouette
from .poses import LOG_DEPTH, PITCH, ROLL, YAW, rigid, rotations
from .scene import Scene

_FROM_OPENCV = np.array([1.0, -1.0, -1.0])


@dataclass(frozen=True, eq=False)
class PoseResult:
    """A sequence that lies on its clip when seen through ``camera`` with :func:`rendering.views.clip_camera`.

    ``iou`` float64 [T]: overlap of the outlines in the clip's pixels, 1 where neither shows anything. ``rotation``
    [3,3] and ``translation`` [3], float64: the given vertices in the camera's OpenCV axes, ``x_camera = R @ x + t``.
    ``report``: what every stage found, its cost before and after, and its seconds; plain values for JSON.
    """

    meshes: MeshSequence
    camera: Camera
    iou: np.ndarray
    rotation: np.ndarray
    translation: np.ndarray
    report: dict[str, Any]


def place(meshes: MeshSequence, scene: Scene, pose: Tensor, placement: str) -> tuple[MeshSequence, Camera]:
    """Move the meshes in front of a camera on +z ("meshes"), or the camera around the meshes ("camera").

    In the first form the camera looks at the origin from as far as the middle of the sequence is deep.
    """
    clip, depth = scene.clip, float(pose[LOG_DEPTH].exp())
    height, width = clip.source_size if clip.crop and clip.source_size else clip.frames.shape[1:3]
    picture = {"fov_degrees": scene.fov_degrees, "width": int(width), "height": int(height)}
    turn, shift = (value[0].cpu().numpy() for value in rigid(pose[None].double(), scene.pivot))
    if placement == "meshes":
        camera = Camera(0.0, 0.0, depth, (0.0, 0.0, 0.0), **picture)
        return moved(meshes, _FROM_OPENCV[:, None] * turn, _FROM_OPENCV * shift + (0, 0, depth)), camera
    level = pose.clone()
    level[ROLL] = 0
    upright = rotations(level[None].double())[0].cpu().numpy()
    look_at = upright.T @ (np.array([0.0, 0.0, depth]) - shift)
    angles = (float(pose[number].rad2deg()) for number in (YAW, PITCH))
    camera = Camera(*angles, depth, tuple(look_at.tolist()), **picture)
    if float(pose[ROLL]) == 0:
        return meshes, camera
    return moved(meshes, upright.T @ turn, np.zeros(3)), camera


def moved(meshes: MeshSequence, turn: np.ndarray, shift: np.ndarray) -> MeshSequence:
    """The sequence with every vertex at ``turn @ x + shift``, normals turned along."""
    vertices = tuple((frame @ turn.T + shift).astype(np.float32) for frame in meshes.vertices)
    normals = meshes.normals
    if normals is not None:
        normals = tuple((frame @ turn.T).astype(np.float32) for frame in normals)
    return replace(meshes, vertices=vertices, normals=normals)


def outline_overlap(meshes: MeshSequence, camera: Camera, clip: Clip, check: Check | None = None) -> np.ndarray:
    """Intersection over union [T] of the meshes' outlines and the clip's, in all pixels of the clip."""
    found = np.ones(meshes.frame_count)
    for frame, (vertices, faces) in enumerate(zip(meshes.vertices, meshes.faces)):
        if check is not None:
            check()
        found[frame] = overlap(silhouette(vertices, faces, camera, clip), clip.frames[frame, ..., 3] > SEEN)
    return found
