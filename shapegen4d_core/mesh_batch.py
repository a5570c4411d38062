"""A mesh sequence as the batch of tensors that hosts pass on, and back.

Legend: B meshes, V and F the most vertices and faces of one. Hosts count v of uv downwards, sequences upwards; turning
it over is exact from 0.5 on and otherwise right to 2**-25. Textures there are float 0..1, here 8 bits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from .errors import InputError
from .mesh_arrays import same_array, same_topology, share_faces
from .sequence import MeshSequence


@dataclass(frozen=True, eq=False)
class MeshBatch:
    """Meshes filled up with zeros to one size; the counts [B] int64 are there only when sizes differ.

    What is the same for all meshes is one piece of memory seen B times.
    """

    vertices: Tensor  # [B,V,3] float32
    faces: Tensor  # [B,F,3] int64
    uvs: Tensor | None = None  # [B,V,2] float32, v down
    normals: Tensor | None = None  # [B,V,3] float32
    texture: Tensor | None = None  # [B,H,W,3] float32 0..1
    vertex_counts: Tensor | None = None
    face_counts: Tensor | None = None


@dataclass(frozen=True, eq=False)
class MeshItem:
    """One mesh of a batch, without what filled it up; arrays of any number type, all but the first two optional."""

    vertices: np.ndarray  # [V,3]
    faces: np.ndarray  # [F,3]
    uv: np.ndarray | None = None  # [V,2], v down
    colours: np.ndarray | None = None  # [V,3|4] 0..1
    normals: np.ndarray | None = None  # [V,3]
    texture: np.ndarray | None = None  # [H,W,3|4] 0..1


def to_batch(meshes: MeshSequence) -> MeshBatch:
    """The frames as a batch; the alpha of a texture, which such a batch cannot hold, is left out."""
    count = meshes.frame_count
    vertex_counts = [len(frame) for frame in meshes.vertices]
    face_counts = [len(frame) for frame in meshes.faces]
    filled = len(set(vertex_counts)) > 1 or len(set(face_counts)) > 1
    if meshes.fixed_topology:
        faces = torch.from_numpy(meshes.faces[0]).long().expand(count, -1, -1)
    else:
        faces = _filled(meshes.faces).long()
    uvs = texture = None
    if meshes.uv is not None:
        uvs = torch.from_numpy(_turned(meshes.uv)).expand(count, -1, -1)
    if meshes.texture is not None:
        colour = torch.from_numpy(np.ascontiguousarray(meshes.texture[..., :3])).float() / 255
        texture = colour.expand(count, -1, -1, -1)
    return MeshBatch(
        _filled(meshes.vertices),
        faces,
        uvs,
        None if meshes.normals is None else _filled(meshes.normals),
        texture,
        torch.tensor(vertex_counts) if filled else None,
        torch.tensor(face_counts) if filled else None,
    )


def from_items(items: Sequence[MeshItem], fps: float, name: str = "mesh") -> tuple[MeshSequence, list[str]]:
    """The meshes as frames, and one sentence for each thing that a sequence cannot hold and that is left out.

    uv and texture stay when they are the same in all meshes and these have one topology. Raises InputError for arrays
    that are no meshes.
    """
    if not items:
        raise InputError("There is no mesh in this batch; connect at least one.")
    vertices = tuple(np.ascontiguousarray(item.vertices, np.float32) for item in items)
    faces = share_faces(_indices(item.faces, number) for number, item in enumerate(items))
    normals = None
    if all(item.normals is not None for item in items):
        normals = tuple(np.ascontiguousarray(item.normals, np.float32) for item in items)
    uv, texture, lost = _appearance(items, same_topology(vertices, faces))
    if any(item.colours is not None for item in items):
        lost.append("Vertex colours are left out: a mesh sequence has none. Bake them into a texture first.")
    return MeshSequence(vertices, faces, fps, name, normals=normals, uv=uv, texture=texture), lost


def _indices(faces: np.ndarray, number: int) -> np.ndarray:
    """Faces as int32, which would turn a larger number into another one."""
    limits = np.iinfo(np.int32)
    if faces.size and not (limits.min <= faces.min() and faces.max() <= limits.max):
        raise InputError(f"Mesh {number} has faces of vertices {faces.min()} to {faces.max()}; its faces are damaged.")
    return np.ascontiguousarray(faces, np.int32)


def _appearance(
    items: Sequence[MeshItem], one_topology: bool
) -> tuple[np.ndarray | None, np.ndarray | None, list[str]]:
    """uv [V,2] and texture [H,W,3|4] uint8 that hold for all meshes, and what is left out."""
    first = items[0]
    if all(item.uv is None for item in items):
        textured = any(item.texture is not None for item in items)
        return None, None, ["The texture is left out: the meshes have no uv."] if textured else []
    if not one_topology or not all(same_array(item.uv, first.uv) for item in items):
        return None, None, ["uv and texture are left out: they need meshes of one topology with the same uv in all."]
    uv = _turned(np.asarray(first.uv, np.float32))
    if not all(same_array(item.texture, first.texture) for item in items):
        return uv, None, ["The texture is left out: it is not the same in all meshes."]
    return uv, None if first.texture is None else _in_bytes(first.texture), []


def _filled(frames: Sequence[np.ndarray]) -> Tensor:
    """[B,rows,3] of arrays [rows_t,3], zeros after the end of each."""
    rows = np.zeros((len(frames), max(len(frame) for frame in frames), 3), frames[0].dtype)
    for row, frame in zip(rows, frames):
        row[: len(frame)] = frame
    return torch.from_numpy(rows)


def _turned(uv: np.ndarray) -> np.ndarray:
    return np.stack([uv[:, 0], 1 - uv[:, 1]], axis=1)


def _in_bytes(texture: np.ndarray) -> np.ndarray:
    return np.rint(np.clip(np.asarray(texture, np.float32), 0, 1) * 255).astype(np.uint8)
