"""Generated sequences put back on their video: overlap of silhouettes before and after registration.

    python benchmarks/overlay.py                                   # twelve held-out clips, the bundled model
    python benchmarks/overlay.py --clips 4 --sheet overlay.png     # and a contact sheet to look at

Three cameras look at the same generated meshes: "front" frames them from the front, as a viewer does; "known" is the
one that filmed the clip; "found" is that of Register Pose, which is told the field of view only.
"""

from __future__ import annotations

import argparse
import math
import time
from pathlib import Path

import numpy as np
import torch

from shapegen4d_core import models
from shapegen4d_core.data.pictures import picture_window, render_clip
from shapegen4d_core.data.procedural import build_asset, build_clip
from shapegen4d_core.data.procedural_shards import clip_names
from shapegen4d_core.decoding import DecodeSettings, decode_sequence
from shapegen4d_core.evaluation.truth import procedural_settings
from shapegen4d_core.models import ModelBundle
from shapegen4d_core.pipeline import encode_clip, sample_latents, sampler_settings
from shapegen4d_core.registration.pose import PoseSettings, register_pose
from shapegen4d_core.registration.quality import read_quality
from shapegen4d_core.rendering import contact_sheet, framing_camera, overlay, render_sequence, save_png
from shapegen4d_core.sequence import Camera, Clip, MeshSequence

FIRST = 900_000  # numbers of clips that no training has seen
SIZE = 256  # pixels


def filmed(family: str, seed: int, model: ModelBundle) -> tuple[Clip, Camera]:
    """A held-out clip as a crop of a larger picture, and the camera that filmed that picture."""
    settings = procedural_settings(model.config)
    clip, asset = build_clip(family, seed, settings), build_asset(family, seed, settings)
    left, top, side = picture_window(asset, [rows[:, :3].astype(float) for rows in clip["surface"]])
    frames = torch.from_numpy(render_clip(asset, (left, top, side), SIZE).astype(np.float32) / 255)
    focal = SIZE / side
    whole = 2 * math.ceil(max(abs(left), abs(top), abs(left + side), abs(top + side)) * focal)
    crop = (whole / 2 + left * focal, whole / 2 + top * focal, float(SIZE))
    distance = 1.75 / math.sin(math.radians(settings.fov_degrees / 2))
    fov = 2 * math.degrees(math.atan(whole / 2 / focal))
    camera = Camera(0.0, asset.look.elevation_degrees, distance, (0.0, 0.0, 0.0), fov, whole, whole)
    return Clip(frames, float(settings.frames), family, crop, (whole, whole)), camera


def front_overlap(meshes: MeshSequence, clip: Clip) -> float:
    """Overlap when the meshes are framed from the front and the clip is shown as it is."""
    picture = Clip(clip.frames, clip.fps, clip.name)
    share = (clip.frames[..., 3] > 0.5).any(dim=0)
    extent = max(int(share.any(dim=axis).sum()) for axis in (0, 1)) / SIZE
    view = framing_camera(meshes, SIZE, 0.0, 0.0, margin=1 / extent)
    return float(np.mean(read_quality(meshes, picture, view).silhouette_iou))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clips", type=int, default=12)
    parser.add_argument("--model", default="tiny")
    parser.add_argument("--resolution", type=int, default=64)
    parser.add_argument("--sheet", type=Path, help="contact sheet .png: input, overlay with the known and found camera")
    chosen = parser.parse_args()
    model, found, rows = models.load(chosen.model), [], []
    for family, seed in clip_names(FIRST, chosen.clips, "test"):
        clip, known = filmed(family, seed, model)
        latents = sample_latents(model, encode_clip(model, clip), sampler_settings(model, seed=0))
        meshes = decode_sequence(model.vae, latents, DecodeSettings(resolution=chosen.resolution))
        began = time.process_time()
        posed = register_pose(meshes, clip, PoseSettings(fov_degrees=known.fov_degrees))
        seconds = time.process_time() - began
        at_known = float(np.mean(read_quality(meshes, clip, known).silhouette_iou))
        found.append((front_overlap(meshes, clip), at_known, float(posed.iou.mean()), float(posed.iou.min()), seconds))
        print(f"{family}-{seed}: front {found[-1][0]:.3f}, known {at_known:.3f}, found {found[-1][2]:.3f}", flush=True)
        pairs = ((meshes, known), (posed.meshes, posed.camera))
        laid = [overlay(render_sequence(mesh, camera, clip=clip), clip.frames) for mesh, camera in pairs]
        colour, alpha = clip.frames[..., :3], clip.frames[..., 3:]
        rows.append((family, [part.numpy()[::2] for part in (colour * alpha + 1 - alpha, *laid)]))
    front, at_known, at_found, worst, seconds = np.array(found).T
    print(f"| clips | front | known camera | found | worst frame | s of CPU |\n|{'---|' * 6}")
    print(
        f"| {len(found)} | {front.mean():.3f} | {at_known.mean():.3f} | {at_found.mean():.3f} | {worst.min():.3f} | "
        f"{np.median(seconds):.1f} |"
    )
    if chosen.sheet:
        names = [f"{family}, {what}" for family, _ in rows for what in ("input", "known camera", "found camera")]
        save_png(contact_sheet([picture for _, pictures in rows for picture in pictures], labels=names), chosen.sheet)


if __name__ == "__main__":
    main()
