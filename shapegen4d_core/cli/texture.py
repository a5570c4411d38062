"""``texture``: one texture for a sequence of one topology, from its video or from a textured mesh."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import InputError
from .bars import bar
from .files import READ, SEQUENCES, WRITTEN, check_outputs, read_sequence, write_sequence

if TYPE_CHECKING:
    from ..sequence import MeshSequence
    from ..texturing import TextureResult, TextureSettings


def add_verbs(verbs: argparse._SubParsersAction) -> None:
    """Register the verb of this file."""
    verb = verbs.add_parser("texture", help="paint one texture for all frames of a tracked sequence")
    add = verb.add_argument
    add("input", type=Path, help=f"{READ}; all frames of one topology")
    add("-o", "--output", type=Path, required=True, help=WRITTEN)
    add("--clip", type=Path, help="the clip the meshes lie on (.safetensors); needs --camera")
    add("--camera", type=Path, help="the camera that goes with the meshes (.safetensors)")
    add("--mesh", type=Path, help="textured .glb or .gltf of the first frame: alone, or for what the clip never shows")
    add("--mode", choices=("video", "first frame"), default="video", help="frames of the clip to use (default: video)")
    add("--size", type=int, default=1024, help="side of the texture in texels, 256 to 8192 (default: 1024)")
    add("--alignment", choices=("none", "icp", "search"), default="icp", help="how --mesh is moved (default: icp)")
    add("--sharpness", type=float, default=4.0, help="1 averages frames, more keeps the best (default: 4)")
    add("--border", type=float, default=2.0, help="band along outlines in clip pixels that counts less (default: 2)")
    add("--robust-passes", type=int, default=2, help="passes in which frames that disagree lose (default: 2)")
    add("--refine-passes", type=int, default=2, help="passes that put lost detail back (default: 2)")
    add("--match-gain", action="store_true", help="even out the brightness of frames")
    add("--linear-light", action="store_true", help="average in linear light")
    add("--no-symmetry", action="store_true", help="do not colour unseen parts from their mirror image")
    add("--lit", action="store_true", help="let viewers light a texture that was painted from the clip")
    add("--texture", type=Path, help="also write the texture to this .png")
    add("--confidence", type=Path, help="also write the confidence to this .png, white where sure")
    add("--quiet", action="store_true", help="no progress bar")
    verb.set_defaults(run=_texture)


def _texture(chosen: argparse.Namespace) -> None:
    from ..texturing import TextureSettings

    check_outputs(chosen, {"output": SEQUENCES, "texture": (".png",), "confidence": (".png",)})
    if chosen.clip is None and chosen.mesh is None:
        raise InputError("There is nothing to take colours from; give --clip with --camera, or --mesh.")
    if (chosen.clip is None) != (chosen.camera is None):
        raise InputError("--clip and --camera go together; give both.")
    settings = TextureSettings(
        size=chosen.size,
        mode=chosen.mode,
        alignment=chosen.alignment,
        sharpness=chosen.sharpness,
        border_pixels=chosen.border,
        robust_passes=chosen.robust_passes,
        refine_passes=chosen.refine_passes,
        match_gain=chosen.match_gain,
        linear_light=chosen.linear_light,
        symmetry=not chosen.no_symmetry,
    )
    meshes = read_sequence(chosen.input)
    if not chosen.quiet:
        print(settings.memory_sentence())
    made = _run(meshes, settings, chosen)
    _write(made, chosen)
    print(made.report.text())
    print(f"{chosen.output}: {made.meshes.frame_count} frames, one texture")


def _run(meshes: MeshSequence, settings: TextureSettings, chosen: argparse.Namespace) -> TextureResult:
    from ..sequence import Camera, Clip
    from ..texturing import source_from, texture_from_mesh, texture_from_video

    source = None if chosen.mesh is None else source_from(chosen.mesh)
    with bar("texture", chosen.quiet) as progress:
        if chosen.clip is None:
            return texture_from_mesh(meshes, source, settings, progress)
        clip, camera = Clip.load(chosen.clip), Camera.load(chosen.camera)
        return texture_from_video(meshes, clip, camera, settings, source, progress)


def _write(made: TextureResult, chosen: argparse.Namespace) -> None:
    from ..rendering import save_png

    write_sequence(made.meshes, chosen.output, unlit=chosen.clip is not None and not chosen.lit)
    if chosen.texture:
        save_png(made.meshes.texture, chosen.texture)
    if chosen.confidence:
        save_png((made.confidence * 255 + 0.5).astype("uint8")[..., None].repeat(3, axis=2), chosen.confidence)
