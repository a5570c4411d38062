"""Writes a mesh sequence as one animated GLB file (glTF 2.0).

Two encodings; both play in three.js, Blender and ComfyUI's Preview3D as they are:

- fixed topology: morph targets (see glb_morph), STEP or LINEAR between frames;
- anything else: a flip book of one node per frame (see glb_flipbook), STEP only.

Time starts at 0, frame t starts at t / fps, and the last key lies at T / fps: every frame lasts 1 / fps
seconds and the animation is as long as the clip. Axes are glTF's own (y up, front +z): no vertex is turned.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..camera import Camera
from ..errors import InputError
from ..progress import Check, Progress
from ..sequence import MeshSequence
from ..storage import atomic_path
from .glb_container import write_container
from .glb_flipbook import add_flipbook
from .glb_frames import Frames, Grid
from .glb_morph import add_morph
from .glb_motion import Motion, add_motion, find_motion
from .glb_options import GlbOptions, uses_morph_targets
from .gltf_camera import add_camera, check_cameras
from .gltf_document import Document, asset_entry
from .gltf_material import add_material
from .key_times import played_frames
from .requests import warn_of_points

__all__ = ["uses_morph_targets", "write_glb"]


def write_glb(
    sequence: MeshSequence,
    path: str | os.PathLike,
    *,
    encoding: str = "auto",
    interpolation: str = "STEP",
    loop: str = "hold",
    unlit: bool = False,
    texture_format: str = "png",
    quantize: bool = False,
    normals: bool = True,
    camera: Camera | Sequence[Camera] | None = None,
    root_motion: str = "none",
    extras: dict[str, Any] | None = None,
    progress: Progress | None = None,
    check: Check | None = None,
) -> Path:
    """Write ``sequence`` to ``path`` (ending in .glb) as an animated GLB and return the path.

    ``encoding``: "auto", "morph" (fixed topology) or "flipbook". ``interpolation``: "STEP" (frames hold), "LINEAR"
    (vertices move between frames; morph targets only) or "auto" (LINEAR where it can be). ``loop``: "hold" (the last
    frame lasts its 1 / fps), "cycle" (the last key returns to the first frame, which LINEAR blends) or "ping-pong"
    (forth and back, (2 T - 2) / fps seconds). ``unlit`` shows the texture without further light, for one painted from
    a video, which has light in it. ``texture_format``: "png" or "webp" (lossless, EXT_texture_webp). ``quantize``
    stores positions as 16-bit whole numbers (KHR_mesh_quantization), wrong along each axis by at most half a step of
    the longest side of the box / 32767, normals in 8 bits and texture coordinates in 16. ``normals`` off leaves them
    out: half the size, flat shading. ``camera``: one still, or one per frame. ``root_motion``: "translation" or
    "rigid" move the root node and leave in the vertices what is not travel. ``extras`` (JSON-able) go into
    ``asset.extras`` beside our own entry "shapegen4d", which keeps fps, frame count, name and the sequence's settings.

    Memory holds one frame at a time; the file appears whole or not at all. Raises InputError for a sequence without
    faces, one that the choices do not fit, unknown choices, a bad path, camera or extras.
    """
    path = Path(path)
    if path.suffix.lower() != ".glb":
        raise InputError(f"Cannot write {path} as a GLB: the name must end in .glb.")
    options = GlbOptions(encoding, interpolation, loop, unlit, texture_format, quantize, normals, root_motion)
    options.check_sequence(sequence)
    warn_of_points(sequence, stacklevel=3)
    if camera is not None:
        check_cameras(camera, sequence.frame_count)
    asset = asset_entry(sequence, extras, {} if loop == "hold" else {"loop": loop})
    with atomic_path(path) as temporary, Document(sequence.name, temporary.parent, asset) as document:
        _fill(document, sequence, options, camera, progress, check)
        write_container(temporary, document.json(), document.spool, check)
    return path


def _fill(
    document: Document,
    sequence: MeshSequence,
    options: GlbOptions,
    camera: Camera | Sequence[Camera] | None,
    progress: Progress | None,
    check: Check | None,
) -> None:
    """The scene: the object, placed and moved, the camera, the material."""
    mode, played = options.mode(sequence), played_frames(sequence.frame_count, options.loop)
    motion = find_motion(sequence, options.root_motion, check)
    frames = Frames(sequence, motion, options.quantize, options.normals, check)
    if options.morphs(sequence):
        head, closed = add_morph(document, frames, options.loop, mode, progress, check)
    else:
        head, closed = add_flipbook(document, frames, options.loop, progress, check)
    if frames.grid is not None:
        _place(document, head, frames.grid)
    if motion is not None:
        head = _moved(document, head, motion, sequence, played, mode)
    document.roots.append(head)
    if camera is not None:
        add_camera(document, camera, sequence.frame_count, played, sequence.fps, mode)
    add_material(document, sequence.texture, sequence.uv, closed, options.unlit, options.texture_format, check)


def _place(document: Document, head: int, grid: Grid) -> None:
    """Let the node scale the whole numbers of the grid back to positions."""
    document.need("KHR_mesh_quantization", required=True)
    document.node(head).update(translation=grid.centre.tolist(), scale=[grid.step] * 3)


def _moved(
    document: Document, head: int, motion: Motion, sequence: MeshSequence, played: list[int], mode: str
) -> int:
    """The node that carries the motion: ``head`` itself, or one above it when it has a place of its own."""
    if "scale" in document.node(head):
        document.node(head)["name"] = "grid"
        head = document.add("nodes", {"name": sequence.name, "children": [head]})
    add_motion(document, head, motion, played, sequence.fps, mode)
    return head
