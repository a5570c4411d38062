"""``render``: pictures of a mesh sequence as a film, an animated image, PNG files or a contact sheet."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import InputError
from .bars import bar
from .files import READ, SAVED, read_sequence

if TYPE_CHECKING:
    from torch import Tensor

    from ..sequence import Camera, Clip, MeshSequence

STYLES = ("shaded", "normal", "silhouette", "textured", "lit")


def add_verbs(verbs: argparse._SubParsersAction) -> None:
    """Register the verb of this file."""
    verb = verbs.add_parser("render", help="draw a mesh sequence: film, animated image, PNG files or contact sheet")
    add = verb.add_argument
    add("input", type=Path, help=READ)
    add("-o", "--output", type=Path, required=True, help=".mp4, .webp, .gif, .png (contact sheet) or a new folder")
    add("--style", choices=STYLES, help="default: lit when there is a texture, else shaded")
    add("--size", type=_size, help="pixels, such as 512 or 640x360 (default: 512, or the camera's)")
    add("--camera", type=Path, help="camera saved as .safetensors (default: one that sees the whole sequence)")
    add("--yaw", type=float, default=0.0, help="degrees around from the front, without --camera (default: 0)")
    add("--pitch", type=float, default=10.0, help="degrees from above, without --camera (default: 10)")
    add("--turntable", type=float, metavar="TURNS", default=0.0, help="go around this often, negative the other way")
    add("--count", type=int, help="pictures; the sequence starts again when it ends (default: one per frame)")
    add("--fps", type=float, help="pictures per second (default: the sequence's)")
    add("--background", default="white", help="colour name or #rrggbb, or none for transparent (default: white)")
    add("--over", type=Path, help="lay the pictures over this clip (.safetensors) or whole video; needs --camera")
    add("--opacity", type=float, default=0.6, help="of the pictures over a clip, 0 to 1 (default: 0.6)")
    add("--columns", type=int, default=8, help="pictures per row of a contact sheet (default: 8)")
    add("--device", default="cpu", help="torch device, such as cpu or cuda (default: cpu)")
    add("--quiet", action="store_true", help="no progress bars")
    verb.set_defaults(run=_render)


def _render(chosen: argparse.Namespace) -> None:
    from ..rendering import composite, natural_style, overlay, parse_colour, render_sequence, save_pictures

    _check(chosen)
    colour = None if chosen.background == "none" else parse_colour(chosen.background)
    meshes = read_sequence(chosen.input)
    style = chosen.style or natural_style(meshes)
    fps = meshes.fps if chosen.fps is None else chosen.fps
    camera = _camera(chosen, meshes)
    clip = _clip(chosen, meshes.frame_count)
    with bar("pictures", chosen.quiet) as progress:
        views = _views(chosen, camera, meshes.frame_count)
        size = None if clip else (camera.height, camera.width)
        pictures = render_sequence(meshes, views, size, style, chosen.device, progress, clip=clip)
    if clip is not None:
        pictures = overlay(pictures, clip.frames, chosen.opacity, background=colour or (0.0, 0.0, 0.0))
    elif colour is not None:
        pictures = composite(pictures, colour)
    with bar("file", chosen.quiet) as progress:
        save_pictures(pictures, chosen.output, fps, chosen.columns, progress)
    print(f"{chosen.output}: {len(pictures)} pictures of {pictures.shape[2]} x {pictures.shape[1]}, {fps:g} per second")


def _check(chosen: argparse.Namespace) -> None:
    """Refuse what could not be written, before anything is drawn."""
    from ..rendering import check_request

    check_request(chosen.output, 1.0 if chosen.fps is None else chosen.fps, chosen.columns)
    if not 0 <= chosen.opacity <= 1:
        raise InputError(f"--opacity is {chosen.opacity:g}, accepted is 0 to 1.")
    if chosen.background == "none" and chosen.over is None and chosen.output.suffix.lower() == ".mp4":
        raise InputError("MP4 cannot hold transparent pictures; choose a --background, or .webp.")


def _camera(chosen: argparse.Namespace, meshes: MeshSequence) -> Camera:
    from ..rendering import framing_camera
    from ..rendering.views import sized_camera
    from ..sequence import Camera

    if chosen.camera is not None:
        return sized_camera(Camera.load(chosen.camera), chosen.size)
    if chosen.over is not None:
        raise InputError("--over needs the camera that filmed it; give it with --camera.")
    size = 512 if chosen.size is None else chosen.size
    return framing_camera(meshes, size, chosen.yaw, chosen.pitch, all_around=chosen.turntable != 0)


def _views(chosen: argparse.Namespace, camera: Camera, frame_count: int) -> list[Camera]:
    from ..rendering import turntable

    return turntable(camera, frame_count if chosen.count is None else chosen.count, chosen.turntable)


def _clip(chosen: argparse.Namespace, count: int) -> Clip | None:
    """The frames that pictures are laid over: a saved clip, or as many frames of a whole video as there are meshes."""
    from ..sequence import Clip

    if chosen.over is None:
        return None
    if chosen.size is not None or chosen.turntable or chosen.count is not None:
        raise InputError("--over takes size and frames from what it shows; leave out --size, --turntable and --count.")
    clip = Clip.load(chosen.over) if chosen.over.suffix.lower() == SAVED else _plate(chosen.over, count)
    if len(clip.frames) != count:
        raise InputError(f"--over has {len(clip.frames)} frames and the sequence {count}; give the clip it came from.")
    return clip


def _plate(path: Path, count: int) -> Clip:
    """``count`` whole frames of a video at equal times, opaque."""
    import torch

    from ..sequence import Clip
    from ..video.matte import unit
    from ..video.reader import open_source
    from ..video.selection import select_frames

    source = open_source(path)
    selection = select_frames(source.times, source.end, count=count)
    pictures = {index: _rgba(unit(picture)) for index, picture in source.pictures(sorted(set(selection.indices)))}
    return Clip(torch.stack([pictures[index] for index in selection.indices]), selection.fps)


def _rgba(picture) -> Tensor:
    """A picture [H,W,1|3|4] float 0..1 as [H,W,4]."""
    import torch

    picture = torch.from_numpy(picture)
    colour = picture[..., :3].expand(-1, -1, 3)
    return torch.cat([colour, picture[..., 3:] if picture.shape[2] == 4 else torch.ones_like(colour[..., :1])], dim=2)


def _size(text: str) -> int | tuple[int, int]:
    """``512`` or ``640x360`` (width x height) as a side or (height, width)."""
    parts = text.lower().split("x")
    if len(parts) > 2 or not all(part.isdecimal() for part in parts):
        raise argparse.ArgumentTypeError(f"{text!r} is neither a side such as 512 nor a size such as 640x360")
    return int(parts[0]) if len(parts) == 1 else (int(parts[1]), int(parts[0]))
