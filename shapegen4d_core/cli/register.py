"""``register``: put a mesh sequence back onto the video it was made from."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from .bars import bar
from .files import READ, SAVED, SEQUENCES, WRITTEN, check_outputs, read_sequence, write_sequence

if TYPE_CHECKING:
    from ..registration.point_maps import PointMaps
    from ..registration.pose import PictureSimilarity
    from ..sequence import Clip


def add_verbs(verbs: argparse._SubParsersAction) -> None:
    """Register the verb of this file."""
    verb = verbs.add_parser("register", help="find the camera of a clip, so that the meshes made of it cover it")
    add = verb.add_argument
    add("meshes", type=Path, help=READ)
    add("clip", help="the clip they were made from: .safetensors, video, animated image or folder of pictures")
    add("-o", "--output", type=Path, required=True, help=f"posed sequence: {WRITTEN}")
    add("--camera", type=Path, help="also write the camera to this .safetensors file")
    add("--overlay", type=Path, help="also write the meshes over the clip: .mp4, .webp, .gif, .png or a new folder")
    add("--report", type=Path, help="also write what every stage did to this .json file")
    add("--fov", type=float, default=40.0, help="vertical field of view of the whole video in degrees (default: 40)")
    add("--search-fov", action="store_true", help="look for the field of view as well")
    add("--roll", action="store_true", help="look for cameras turned about their view axis as well")
    add("--placement", choices=("meshes", "camera"), default="meshes", help="what is moved (default: meshes)")
    add("--frames", type=int, help="frames that share in the last fit (default: all)")
    add("--views", type=int, default=256, help="directions tried first (default: 256)")
    add("--rivals", type=int, default=6, help="different poses followed to the end (default: 6)")
    add("--preset", choices=("default", "faithful"), default="default", help="faithful: the published counts, slow")
    add("--seed", type=int, default=0, help="start of the random numbers (default: 0)")
    add("--model", help="compare pictures by the image encoder of this model folder, or tiny for the bundled one")
    add("--dreamsim", type=Path, help="compare pictures by DreamSim with the weights in this file or folder")
    add("--vggt", type=Path, help="let VGGT propose a pose, with the weights in this file or folder")
    add("--mask", help="mask video, picture or folder, white where the object is")
    add("--matte", choices=("auto", "alpha", "mask", "key"), default="auto", help="where the object's outline is from")
    add("--device", default="cpu", help="torch device, such as cpu or cuda (default: cpu)")
    add("--quiet", action="store_true", help="no progress bars")
    verb.set_defaults(run=_register)


def _register(chosen: argparse.Namespace) -> None:
    from ..registration.pose import PoseSettings, register_pose, summary
    from ..registration.quality import read_quality
    from ..rendering import check_request

    outputs = {"output": SEQUENCES, "camera": (SAVED,), "report": (".json",), "overlay": ()}
    check_outputs(chosen, outputs)
    if chosen.overlay is not None:
        check_request(chosen.overlay, 1.0)
    settings = PoseSettings(
        preset=chosen.preset,
        fov_degrees=chosen.fov,
        search_fov=chosen.search_fov,
        frames="all" if chosen.frames is None else chosen.frames,
        placement=chosen.placement,
        roll=chosen.roll,
        views=chosen.views,
        rivals=chosen.rivals,
        seed=chosen.seed,
    )
    meshes = read_sequence(chosen.meshes)
    clip = _clip(chosen, meshes.frame_count)
    networks = _similarity(chosen), _point_maps(chosen)
    with bar("pose", chosen.quiet) as progress:
        found = register_pose(meshes, clip, settings, *networks, progress=progress, device=chosen.device)
    _write(chosen, found, clip)
    print("\n".join(summary(found, read_quality(found.meshes, clip, found.camera))))


def _write(chosen: argparse.Namespace, found, clip: Clip) -> None:
    from ..rendering import overlay, render_sequence, save_pictures
    from ..storage import atomic_path

    write_sequence(found.meshes, chosen.output)
    if chosen.camera is not None:
        found.camera.save(chosen.camera)
    if chosen.report is not None:
        content = found.report | {"iou": found.iou.tolist(), "rotation": found.rotation.tolist()}
        content["translation"] = found.translation.tolist()
        with atomic_path(chosen.report) as path:
            Path(path).write_text(json.dumps(content, indent=1), encoding="utf-8")
    if chosen.overlay is not None:
        with bar("overlay", chosen.quiet) as progress:
            pictures = render_sequence(found.meshes, found.camera, device=chosen.device, progress=progress, clip=clip)
        save_pictures(overlay(pictures, clip.frames), chosen.overlay, clip.fps, 8, None)


def _clip(chosen: argparse.Namespace, count: int) -> Clip:
    from ..sequence import Clip
    from ..video import load_clip

    if Path(chosen.clip).suffix.lower() == SAVED:
        return Clip.load(chosen.clip)
    return load_clip(chosen.clip, count=count, mask=chosen.mask, matte=chosen.matte)


def _similarity(chosen: argparse.Namespace) -> PictureSimilarity | None:
    from ..registration.pose import DreamSimSimilarity, EncoderSimilarity

    if chosen.dreamsim is not None:
        from ..models.dreamsim import DreamSim

        return DreamSimSimilarity(DreamSim.load(chosen.dreamsim, chosen.device), chosen.device)
    if chosen.model is not None:
        from .. import models

        return EncoderSimilarity(models.load(chosen.model, device=chosen.device).image_encoder, chosen.device)
    return None


def _point_maps(chosen: argparse.Namespace) -> PointMaps | None:
    if chosen.vggt is None:
        return None
    import torch

    from ..models.vggt import VGGT
    from ..registration.point_maps import VGGTPointMaps

    dtype = torch.bfloat16 if torch.device(chosen.device).type == "cuda" else torch.float32
    return VGGTPointMaps(VGGT.load(chosen.vggt, chosen.device, dtype, cameras=False), chosen.device)
