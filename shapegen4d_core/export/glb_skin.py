"""Writes a rig as one GLB with a skin: the mesh once, and per frame only what its joints do (glTF 2.0, 3.7.3).

Every joint is a node of its own below one that stands still, and turns about the middle of what it moves, so that
LINEAR keys swing parts about themselves. Keys lie where those of :mod:`.glb` do: frame t at t / fps, the last one at
T / fps.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..camera import Camera
from ..errors import InputError
from ..progress import Check, Progress, tick
from ..sequence import MeshSequence
from ..setting_checks import check_choice
from ..storage import atomic_path
from .glb_container import write_container
from .glb_options import INTERPOLATIONS, TEXTURE_FORMATS
from .gltf_camera import add_camera, check_cameras
from .gltf_document import Document, asset_entry
from .gltf_material import add_material
from .gltf_picture import check_picture
from .key_times import key_times, played_frames
from .quaternions import quaternions
from .requests import check_drawable
from .surfaces import Surfaces

if TYPE_CHECKING:
    from ..rigging import Rig

_SET = 4  # joints per vertex in one attribute


def write_skinned_glb(
    sequence: MeshSequence,
    rig: Rig,
    path: str | os.PathLike,
    *,
    interpolation: str = "auto",
    unlit: bool = False,
    texture_format: str = "png",
    camera: Camera | Sequence[Camera] | None = None,
    extras: dict[str, Any] | None = None,
    progress: Progress | None = None,
    check: Check | None = None,
) -> Path:
    """Write ``rig``, fitted to ``sequence``, to ``path`` (ending in .glb) and return the path.

    The sequence gives faces, texture, rate, name and settings, the rig all positions. ``interpolation`` is "LINEAR"
    ("auto" is the same: joints turn and move between frames) or "STEP" (frames hold); ``unlit``, ``texture_format``,
    ``camera`` and ``extras`` as for :func:`.glb.write_glb`. Our entry in ``asset.extras`` also has the rig's joints and
    its errors in percent of the box's diagonal. Warns of more than 4 joints per vertex, of which many viewers read 4
    only. Raises InputError for a rig of another sequence, one without faces, unknown choices, a bad path, camera or
    extras.
    """
    path = Path(path)
    _check_request(sequence, rig, path, interpolation, unlit, texture_format)
    if camera is not None:
        check_cameras(camera, sequence.frame_count)
    mode = "STEP" if interpolation == "STEP" else "LINEAR"
    asset = asset_entry(sequence, extras, {"rig": _figures(rig)})
    rest = _resting(sequence, rig)
    with atomic_path(path) as temporary, Document(sequence.name, temporary.parent, asset) as document:
        surfaces = Surfaces(rest, check)
        document.roots.append(document.add("nodes", {"name": sequence.name, "mesh": 0, "skin": 0}))
        document.add("meshes", {"name": sequence.name, "primitives": [_primitive(document, rest, rig, surfaces)]})
        _add_skin(document, rig, sequence.fps, mode, progress, check)
        if camera is not None:
            played = played_frames(sequence.frame_count, "hold")
            add_camera(document, camera, sequence.frame_count, played, sequence.fps, mode)
        add_material(document, rest.texture, rest.uv, surfaces.closed(0), unlit, texture_format, check)
        write_container(temporary, document.json(), document.spool, check)
    return path


def _check_request(
    sequence: MeshSequence, rig: Rig, path: Path, interpolation: str, unlit: bool, texture_format: str
) -> None:
    if path.suffix.lower() != ".glb":
        raise InputError(f"Cannot write {path} as a GLB: the name must end in .glb.")
    check_choice("interpolation", interpolation, INTERPOLATIONS)
    check_choice("texture_format", texture_format, TEXTURE_FORMATS)
    rig.check_fits(sequence)
    check_drawable(sequence, unlit)
    check_picture(sequence.texture, texture_format)
    if rig.joints.shape[1] > _SET and (rig.weights[:, _SET:] > 0).any():
        warnings.warn(
            f"Up to {rig.report.influences} joints move one vertex, but many viewers read {_SET}; set influences to "
            f"{_SET} for those.",
            stacklevel=3,
        )


def _figures(rig: Rig) -> dict[str, Any]:
    report = rig.report
    return {"joints": report.joints, "rms_percent": report.rms, "worst_percent": report.worst}


def _resting(sequence: MeshSequence, rig: Rig) -> MeshSequence:
    """The mesh at rest, as a sequence of one frame."""
    return MeshSequence(
        (rig.rest,), sequence.faces[:1], sequence.fps, sequence.name, uv=sequence.uv, texture=sequence.texture
    )


def _primitive(document: Document, rest: MeshSequence, rig: Rig, surfaces: Surfaces) -> dict[str, Any]:
    spool = document.spool
    attributes = {"POSITION": spool.vectors(rig.rest, bounds=True), "NORMAL": spool.vectors(surfaces.normals(0))}
    if rest.uv is not None:
        attributes["TEXCOORD_0"] = spool.texture_coordinates(np.stack([rest.uv[:, 0], 1 - rest.uv[:, 1]], axis=1))
    kind = np.uint8 if rig.joint_count <= 256 else np.uint16
    for start in range(0, rig.joints.shape[1], _SET):
        number, columns = start // _SET, slice(start, start + _SET)
        attributes[f"JOINTS_{number}"] = spool.joints(_filled(rig.joints[:, columns]).astype(kind))
        attributes[f"WEIGHTS_{number}"] = spool.weights(_filled(rig.weights[:, columns]))
    return {"attributes": attributes, "indices": spool.indices(rest.faces[0], len(rig.rest)), "material": 0}


def _filled(columns: np.ndarray) -> np.ndarray:
    """Columns [V,1..4] filled up with zeros to four."""
    return np.pad(columns, [(0, 0), (0, _SET - columns.shape[1])])


def _add_skin(
    document: Document, rig: Rig, fps: float, mode: str, progress: Progress | None, check: Check | None
) -> None:
    """The skin, one node per joint below the root of all, and the keys of every joint."""
    pivots, spool = rig.pivots.astype(np.float32), document.spool
    names = [f"joint_{number + 1:03d}" for number in range(rig.joint_count)]
    nodes = [document.add("nodes", {"name": name, "translation": pivot.tolist()}) for name, pivot in zip(names, pivots)]
    root = document.add("nodes", {"name": "rig", "children": nodes})
    document.roots.append(root)
    inverse = np.tile(np.eye(4, dtype=np.float32).reshape(-1), (rig.joint_count, 1))
    inverse[:, 12:15] = -pivots
    document.add("skins", {"joints": nodes, "skeleton": root, "inverseBindMatrices": spool.matrices(inverse)})
    shown = played_frames(rig.frame_count, "hold")
    times = spool.key_times(key_times(range(len(shown)), fps))
    for number, node in enumerate(nodes):
        turns = rig.rotations[:, number]
        places = turns @ pivots[number] + rig.translations[:, number]
        for path, values in (("translation", places), ("rotation", quaternions(turns))):
            stored = spool.key_values(values[shown].astype(np.float32))
            document.animate(node, path, times, stored, mode)
        tick(progress, check, number + 1, rig.joint_count)
