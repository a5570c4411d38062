"""What ``generate`` does after decoding when asked: the pose in the video, one topology, a texture."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import InputError
from .bars import bar

if TYPE_CHECKING:
    from ..sequence import Camera, Clip, MeshSequence

TEXTURE_CLIP = 512  # least side of cropped frames, in pixels, when a texture is painted from them


@dataclass(frozen=True, eq=False)
class Finished:
    """The sequence after all that was asked for, and the camera when its pose was found."""

    meshes: MeshSequence
    camera: Camera | None


def add_finishing(add: Callable[..., Any]) -> None:
    """Register the options of this file with a parser's ``add_argument``."""
    add("--pose", action="store_true", help="put the meshes back on the video: find the camera's pose")
    add("--track", action="store_true", help="carry one mesh through all frames: one topology")
    add("--texture", action="store_true", help="paint the meshes from the video; takes --pose and --track along")
    add("--fov", type=float, default=40.0, help="vertical field of view of the video's camera in degrees (default: 40)")
    add("--track-faces", type=int, default=10_000, help="most faces of the mesh that is carried (default: 10000)")
    add("--texture-size", type=int, default=1024, help="texels along each side of the texture (default: 1024)")
    add("--lit", action="store_true", help="let viewers light the texture, which has the video's light in it already")
    add("--save-camera", type=Path, help="also write the camera found by --pose to this .safetensors file")


def clip_size(chosen: argparse.Namespace, encoder_size: int) -> int:
    """Side in pixels of the cropped frames: what was asked for, or what encoder and texture need."""
    if chosen.size is not None:
        return chosen.size
    return max(encoder_size, TEXTURE_CLIP) if chosen.texture else encoder_size


def check_finishing(chosen: argparse.Namespace) -> None:
    """Refuse settings before hours are spent; raises InputError."""
    if chosen.save_camera and not (chosen.pose or chosen.texture):
        raise InputError("--save-camera needs the camera that --pose finds; add --pose.")
    if chosen.frames == 1 and (chosen.track or chosen.texture):
        raise InputError("--track and --texture carry a mesh from frame to frame; give --frames 2 or more.")
    if _one_topology(chosen) and not (chosen.track or chosen.texture):
        raise InputError(f"{chosen.output} holds one mesh that moves; add --track, or write .glb, .usdc or a folder.")
    _settings(chosen)


def finish(clip: Clip, meshes: MeshSequence, chosen: argparse.Namespace) -> Finished:
    """Register, track and texture as chosen; prints what each stage found, and the quality at the end."""
    pose, track, texture = _settings(chosen)
    camera = None
    if chosen.pose or chosen.texture:
        from ..registration.pose import register_pose

        with bar("pose", chosen.quiet) as progress:
            found = register_pose(meshes, clip, pose, progress=progress)
        meshes, camera = found.meshes, found.camera
        if chosen.save_camera:
            camera.save(chosen.save_camera)
    if chosen.track or chosen.texture:
        from ..registration.tracking import track_topology

        with bar("tracking", chosen.quiet) as progress:
            tracked = track_topology(meshes, track, progress)
        meshes = tracked.meshes
        print("\n".join(tracked.report.hints() or ["tracking: the topology never changes"]))
    _print_quality(meshes, clip, camera, chosen)
    if chosen.texture:
        from ..texturing import texture_from_video

        with bar("texture", chosen.quiet) as progress:
            painted = texture_from_video(meshes, clip, camera, texture, progress=progress)
        meshes = painted.meshes
        print(painted.report.text())
    return Finished(meshes, camera)


def _settings(chosen: argparse.Namespace) -> tuple[Any, Any, Any]:
    """Settings of the three stages, checked. Tracking is never split where a texture or the format needs one mesh."""
    from ..registration.pose import PoseSettings
    from ..registration.tracking import TrackSettings
    from ..texturing import TextureSettings

    on_change = "force" if chosen.texture or _one_topology(chosen) else "split"
    return (
        PoseSettings(fov_degrees=chosen.fov, seed=chosen.seed),
        TrackSettings(faces=chosen.track_faces, on_change=on_change, seed=chosen.seed),
        TextureSettings(size=chosen.texture_size),
    )


def _one_topology(chosen: argparse.Namespace) -> bool:
    from ..export import format_of

    return format_of(chosen.output).one_topology


def _print_quality(meshes: MeshSequence, clip: Clip, camera: Camera | None, chosen: argparse.Namespace) -> None:
    from ..registration.quality import read_quality

    with bar("quality", chosen.quiet) as progress:
        quality = read_quality(meshes, clip if camera else None, camera, progress)
    print("\n".join(quality.lines()))
