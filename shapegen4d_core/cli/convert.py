"""``convert``: a mesh sequence from any format to any other."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import InputError
from .bars import bar
from .files import READ, WRITTEN, check_sequence_output, read_sequence, write_sequence

if TYPE_CHECKING:
    from ..rigging import Rig, RigSettings
    from ..sequence import MeshSequence

INTERPOLATIONS = ("auto", "STEP", "LINEAR")
LOOPS = ("hold", "cycle", "ping-pong")
KINDS = ("obj", "ply", "glb")
ROOT_MOTIONS = ("none", "translation", "rigid")


def add_verbs(verbs: argparse._SubParsersAction) -> None:
    """Register the verb of this file."""
    verb = verbs.add_parser("convert", help="read a mesh sequence of any format and write it in another")
    add = verb.add_argument
    add("input", type=Path, help=READ)
    add("-o", "--output", type=Path, required=True, help=WRITTEN)
    add("--fps", type=float, help="frames per second (default: what the input says, 24 for a folder that does not)")
    add("--kind", choices=KINDS, help="files of a folder (default: obj)")
    add("--unlit", action="store_true", help="show the texture without light: .glb, .usd*")
    add("--camera", type=Path, help="write this camera (.safetensors) along: .glb, .usd*")
    add("--interpolation", choices=INTERPOLATIONS, help=".glb: frames hold or blend (default: blend where possible)")
    add("--loop", choices=LOOPS, help=".glb: what the end leads to (default: hold)")
    add("--root-motion", choices=ROOT_MOTIONS, help=".glb: travel as keys of the root node (default: none)")
    add("--webp", action="store_true", help=".glb: texture as lossless WebP instead of PNG")
    add("--quantize", action="store_true", help=".glb: positions in 16 bits")
    add("--joints", type=int, help=".glb: fit at most this many bones and write a skinned mesh")
    add("--rig-error", type=float, metavar="PERCENT", help="with --joints: stop adding bones at this average error")
    add("--up-axis", choices=("Y", "Z"), help=".usd*: up axis of the stage (default: Y)")
    add("--quiet", action="store_true", help="no progress bars")
    verb.set_defaults(run=_convert)


def _convert(chosen: argparse.Namespace) -> None:
    options = _options(chosen)
    check_sequence_output(chosen.output, options)
    with bar("reading", chosen.quiet) as progress:
        meshes = read_sequence(chosen.input, chosen.fps, progress)
    if "rig" in options:
        options["rig"] = _fitted(meshes, options["rig"], chosen.quiet)
    with bar("writing", chosen.quiet) as progress:
        write_sequence(meshes, chosen.output, progress=progress, **options)
    print(f"{chosen.output}: {meshes.frame_count} frames at {meshes.fps:g} fps")


def _options(chosen: argparse.Namespace) -> dict[str, Any]:
    """What was asked for, under the names of the writers' keywords; nothing that was not."""
    from ..sequence import Camera

    named = ("kind", "interpolation", "loop", "root_motion", "up_axis")
    options: dict[str, Any] = {name: getattr(chosen, name) for name in named if getattr(chosen, name) is not None}
    if chosen.webp:
        options["texture_format"] = "webp"
    for name in ("unlit", "quantize"):
        if getattr(chosen, name):
            options[name] = True
    if chosen.camera is not None:
        options["camera"] = Camera.load(chosen.camera)
    if chosen.joints is not None or chosen.rig_error is not None:
        options["rig"] = _rig_settings(chosen)
    return options


def _fitted(meshes: MeshSequence, settings: RigSettings, quiet: bool) -> Rig:
    """The rig, with its errors on the screen."""
    from ..rigging import fit_rig

    with bar("bones", quiet) as progress:
        rig = fit_rig(meshes, settings, progress)
    print("\n".join([*rig.report.table(), *rig.report.hints()]))
    return rig


def _rig_settings(chosen: argparse.Namespace) -> RigSettings:
    from ..rigging import RigSettings

    if chosen.joints is None:
        raise InputError("--rig-error goes with --joints, the most bones that may be fitted; give both.")
    return RigSettings(joints=chosen.joints, error=chosen.rig_error)
