"""Writes a mesh sequence as one animated GLB file (glTF 2.0).

Two encodings, chosen by the sequence; both play in three.js, Blender and ComfyUI's Preview3D as they are:

- fixed topology, 2 to 251 frames: morph targets (see glb_morph), STEP or LINEAR between frames;
- anything else: a flip book of one node per frame (see glb_flipbook), STEP only.

Time starts at 0, frame t starts at t / fps, and the last key lies at T / fps: every frame lasts 1 / fps
seconds and the animation is as long as the clip. Axes are glTF's own (y up, front +z): no vertex is turned.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from .. import __version__
from ..errors import InputError
from ..progress import Check, Progress
from ..sequence import MeshSequence
from ..storage import atomic_path
from .glb_container import write_container
from .glb_flipbook import flipbook_parts
from .glb_morph import MOST_TARGETS, morph_parts
from .gltf_buffers import BufferSpool
from .gltf_material import material_parts

INTERPOLATIONS = ("STEP", "LINEAR")
_PROVENANCE = "shapegen4d"  # our own key in asset.extras


def write_glb(
    sequence: MeshSequence,
    path: str | os.PathLike,
    *,
    interpolation: str = "STEP",
    unlit: bool = False,
    extras: dict[str, Any] | None = None,
    progress: Progress | None = None,
    check: Check | None = None,
) -> Path:
    """Write ``sequence`` to ``path`` (ending in .glb) as an animated GLB and return the path.

    ``interpolation`` is "STEP" (frames hold) or "LINEAR" (vertices move between frames; fixed topology only).
    ``unlit`` shows the texture without further light, for one painted from a video, which has light in it.
    ``extras`` (JSON-able) go into ``asset.extras`` beside our own entry "shapegen4d", which keeps fps, frame
    count and the sequence's settings. Memory holds one frame at a time; the file appears whole or not at all.
    Raises InputError for a sequence without faces, LINEAR on a flip book, unlit without a texture, a bad path or
    bad extras.
    """
    path = Path(path)
    _check_request(sequence, path, interpolation, extras)
    if unlit and sequence.texture is None:
        raise InputError(f"unlit shows only a texture, and {sequence.name!r} has none; switch it off.")
    with atomic_path(path) as temporary, BufferSpool(temporary.parent) as spool:
        if uses_morph_targets(sequence):
            parts, closed = morph_parts(sequence, spool, interpolation, progress, check)
        else:
            parts, closed = flipbook_parts(sequence, spool, progress, check)
        document = {
            "asset": _asset(sequence, extras),
            "scene": 0,
            "scenes": [{"nodes": [0]}],  # unnamed, or three.js renames the root
            **parts,
            **material_parts(spool, sequence.texture, sequence.uv, closed, unlit),
        }
        write_container(temporary, document, spool, check)
    return path


def uses_morph_targets(sequence: MeshSequence) -> bool:
    """Whether :func:`write_glb` writes morph targets (fixed topology, 2 to 251 frames), not a flip book."""
    return sequence.fixed_topology and 2 <= sequence.frame_count <= MOST_TARGETS + 1


def _check_request(sequence: MeshSequence, path: Path, interpolation: str, extras: dict | None) -> None:
    if path.suffix.lower() != ".glb":
        raise InputError(f"Cannot write {path} as a GLB: the name must end in .glb.")
    if interpolation not in INTERPOLATIONS:
        raise InputError(f"interpolation is {interpolation!r}, accepted is STEP or LINEAR.")
    if not any(len(faces) for faces in sequence.faces):
        raise InputError(
            f"None of the {sequence.frame_count} frames of {sequence.name!r} has a face, so there is no "
            "mesh to write; look at the earlier stages."
        )
    if extras is not None and _PROVENANCE in extras:
        raise InputError(f"extras has the key {_PROVENANCE!r}, which the writer fills; use another name.")
    if interpolation == "LINEAR" and sequence.frame_count > 1 and not uses_morph_targets(sequence):
        too_long = f"more than {MOST_TARGETS + 1} frames"
        reason = too_long if sequence.fixed_topology else "a topology that changes"
        raise InputError(f"LINEAR cannot blend a sequence with {reason}; set interpolation to STEP.")


def _asset(sequence: MeshSequence, extras: dict[str, Any] | None) -> dict[str, Any]:
    provenance = {"fps": sequence.fps, "frames": sequence.frame_count, "settings": sequence.settings}
    return {
        "version": "2.0",
        "generator": f"ShapeGen4D {__version__}",
        "extras": {_PROVENANCE: provenance, **(extras or {})},
    }
