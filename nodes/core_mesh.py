"""Reading the core's MESH: a batch of meshes, perhaps filled up to one size, or lists of tensors."""

from __future__ import annotations

from typing import Any

_PER_VERTEX = {"vertices": "vertices", "uv": "uvs", "colours": "vertex_colors", "normals": "normals"}
_OTHER_MAPS = {
    "metallic_roughness": "The metallic and roughness map is",
    "normal_map": "The normal map is",
    "emissive": "The emissive map is",
    "material": "Material factors are",
}


def count(mesh: Any) -> int:
    """How many meshes there are in the batch; ValueError when it has no vertices or no faces at all."""
    if mesh.vertices is None or mesh.faces is None:
        raise ValueError("mesh has no vertices or no faces; connect a mesh of triangles.")
    return 1 if getattr(mesh.vertices, "ndim", 3) == 2 else len(mesh.vertices)


def arrays(mesh: Any, index: int) -> dict[str, Any]:
    """One mesh as numpy arrays: vertices, faces, uv (v down), colours, normals and texture, None for what it lacks.

    Raises ValueError when it has no faces at all, and for an ``index`` that some of its parts do not reach.
    """
    total = count(mesh)
    counts = getattr(mesh, "vertex_counts", None), getattr(mesh, "face_counts", None)
    filled = None not in counts
    for name in (*_PER_VERTEX.values(), "faces", "texture"):
        _check_length(name, getattr(mesh, name, None), total)
    found = {key: _one(getattr(mesh, name, None), index, 2) for key, name in _PER_VERTEX.items()}
    found["faces"] = _one(mesh.faces, index, 2)
    if filled:
        for key in _PER_VERTEX:
            found[key] = None if found[key] is None else found[key][: int(counts[0][index])]
        found["faces"] = found["faces"][: int(counts[1][index])]
    found["texture"] = _one(getattr(mesh, "texture", None), index, 3)
    return found


def left_out(mesh: Any) -> list[str]:
    """One sentence for each map of a mesh that this pack has no place for."""
    return [f"{what} left out." for name, what in _OTHER_MAPS.items() if getattr(mesh, name, None) is not None]


def _check_length(name: str, given: Any, total: int) -> None:
    dimensions = 3 if name == "texture" else 2
    batched = given is not None and getattr(given, "ndim", dimensions + 1) > dimensions
    if batched and len(given) not in (1, total):
        raise ValueError(f"mesh has {total} meshes but {len(given)} of {name}; connect a mesh that has one of each.")


def _one(given: Any, index: int, dimensions: int) -> Any:
    """The part of one mesh; a tensor without a batch, or with a batch of one, holds for all meshes."""
    import torch

    if given is None:
        return None
    if getattr(given, "ndim", dimensions + 1) == dimensions:
        part = given
    else:
        part = given[0 if len(given) == 1 else index]
    part = part.detach().cpu()
    return part.to(torch.float32 if part.is_floating_point() else part.dtype).numpy()
