"""``generate`` and ``demo``: from a video to an animated GLB.

Heavy modules are imported when a verb runs, so that ``--help`` answers at once.
"""

from __future__ import annotations

import argparse
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..example_clips import example_path
from ..progress import Progress
from .bars import bar
from .files import SAVED, SEQUENCES, WRITTEN, check_outputs, holds, write_sequence
from .finishing import add_finishing, check_finishing, clip_size, finish
from .sampling_options import add_sampling, sampling_changes

if TYPE_CHECKING:
    from torch import Tensor

    from ..decoding import DecodeSettings
    from ..models import ModelBundle, ModelConfig
    from ..sampling import SamplerSettings
    from ..sequence import Camera, Clip, MeshSequence

EXAMPLE = "creature"
DEMO_RESOLUTION = 96
SHEET_SIZE = 160


def add_verbs(verbs: argparse._SubParsersAction) -> None:
    """Register the verbs of this file."""
    verb = verbs.add_parser("generate", help="turn a video into an animated mesh")
    verb.add_argument("input", help="video, animated image, picture or folder of pictures")
    verb.add_argument("-o", "--output", type=Path, required=True, help=WRITTEN)
    _add_settings(verb)
    verb.set_defaults(run=_generate)
    verb = verbs.add_parser("demo", help="turn the bundled example into demo/creature.glb and a contact sheet")
    verb.add_argument("-o", "--output", type=Path, default=Path("demo"), help="folder to write to (default: demo)")
    verb.add_argument("--quiet", action="store_true", help="no progress bars")
    verb.set_defaults(run=_demo)


def _add_settings(verb: argparse.ArgumentParser) -> None:
    add = verb.add_argument
    add("--model", default="tiny", help="model folder, or tiny for the bundled one (default)")
    add("--device", default="cpu", help="torch device, such as cpu or cuda (default: cpu)")
    add("--seed", type=int, default=0, help="start of the random numbers (default: 0)")
    add("--frames", type=int, help="frames to take, at equal times (default: the model's)")
    add_sampling(add)
    add("--noise", choices=("shared", "independent"), default="shared", help="start noise of the frames")
    add("--adapter-strength", type=float, default=1.0, help="share of the spatiotemporal layers, 0 to 1 or more")
    add("--resolution", type=int, default=128, help="cells of the decoding grid per axis (default: 128)")
    add("--max-faces", type=int, help="decimate every frame to at most this many faces")
    add("--size", type=int, help="pixels per side of the cropped frames (default: what the model reads)")
    add("--mask", help="mask video, picture or folder, white where the object is")
    add("--matte", choices=("auto", "alpha", "mask", "key"), default="auto", help="where the object's outline is from")
    add_finishing(add)
    add("--save-clip", type=Path, help="also write the cropped frames to this .safetensors file")
    add("--save-latents", type=Path, help="also write the latents to this .safetensors file")
    add("--save-meshes", type=Path, help="also write the final meshes to this .safetensors file")
    add("--sheet", type=Path, help="also write a contact sheet .png: input frames above rendered meshes")
    add("--quiet", action="store_true", help="no progress bars")


def _generate(chosen: argparse.Namespace) -> None:
    from .. import models
    from ..decoding import DecodeSettings
    from ..pipeline import sampler_settings

    saved = dict.fromkeys(("save_clip", "save_latents", "save_meshes", "save_camera"), (SAVED,))
    check_outputs(chosen, {"output": SEQUENCES, "sheet": (".png",), **saved})
    check_finishing(chosen)
    decode = DecodeSettings(resolution=chosen.resolution, max_faces=chosen.max_faces)
    model = models.load(chosen.model, device=chosen.device)
    settings = sampler_settings(model, seed=chosen.seed, noise=chosen.noise, **sampling_changes(chosen))
    with bar("frames", chosen.quiet) as progress:
        clip = _read(
            chosen.input,
            model.config,
            progress,
            size=clip_size(chosen, model.config.image_encoder.image_size),
            count=chosen.frames or model.config.frames,
            mask=chosen.mask,
            matte=chosen.matte,
        )
    if chosen.save_clip:
        clip.save(chosen.save_clip)
    finished = finish(clip, _run(model, clip, settings, decode, chosen), chosen)
    meshes = finished.meshes
    if chosen.save_meshes:
        meshes.save(chosen.save_meshes)
    with bar("file", chosen.quiet) as progress:
        options = {"camera": finished.camera} if finished.camera and holds(chosen.output, "camera") else {}
        write_sequence(meshes, chosen.output, unlit=not chosen.lit, progress=progress, **options)
    if chosen.sheet:
        write_sheet(clip, meshes, chosen.sheet, finished.camera)
    print(f"{chosen.output}: {meshes.frame_count} frames at {meshes.fps:g} fps")


def _run(
    model: ModelBundle,
    clip: Clip,
    settings: SamplerSettings,
    decode: DecodeSettings,
    chosen: argparse.Namespace,
) -> MeshSequence:
    from ..decoding import decode_sequence
    from ..pipeline import encode_clip, sample_latents

    with bar("tokens", chosen.quiet) as progress:
        tokens = encode_clip(model, clip, progress)
    with bar("sampling", chosen.quiet) as progress:
        latents = sample_latents(model, tokens, settings, chosen.adapter_strength, progress)
    if chosen.save_latents:
        latents.save(chosen.save_latents)
    with bar("decoding", chosen.quiet) as progress:
        return decode_sequence(model.vae, latents, decode, progress)


def _read(path: str, config: ModelConfig, progress: Progress, **options: Any) -> Clip:
    """Load a clip in the layout the model wants; warnings are shown as one line each."""
    from ..video import ClipWarning, load_clip

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ClipWarning)
        clip = load_clip(
            path,
            foreground_ratio=config.foreground_ratio,
            progress=progress,
            **options,
        )
    for warning in caught:
        print(f"shapegen4d: {warning.message}")
    return clip


def write_sheet(clip: Clip, meshes: MeshSequence, path: Path, camera: Camera | None = None) -> None:
    """A PNG with the input frames above the meshes from the front and from the side, laid over the input if posed."""
    from ..rendering import contact_sheet, framing_camera, overlay, render_sequence, save_png
    from ..rendering.overlay import composite

    size = max(SHEET_SIZE, min(clip.frames.shape[1], 2 * SHEET_SIZE)) if camera else SHEET_SIZE
    rows = {"input": _resized(composite(clip.frames, (1.0, 1.0, 1.0)), size)}
    if camera is not None:
        drawn = render_sequence(meshes, camera, style="shaded", clip=clip)
        rows["over the input"] = _resized(overlay(drawn, clip.frames), size)
    style = "shaded" if meshes.texture is None else "textured"
    for name, yaw in (("front", 0.0), ("side", 90.0)):
        rows[name] = render_sequence(meshes, framing_camera(meshes, size, yaw, all_around=True), style=style)
    save_png(contact_sheet([row.numpy() for row in rows.values()], labels=list(rows)), path)


def _resized(pictures: Tensor, size: int) -> Tensor:
    """Opaque square pictures [T,S,S,3] at ``size`` pixels a side."""
    from torch.nn.functional import interpolate

    planes = pictures.permute(0, 3, 1, 2)
    return interpolate(planes, (size, size), mode="bicubic", antialias=True).clamp(0, 1).permute(0, 2, 3, 1)


def _demo(chosen: argparse.Namespace) -> None:
    began = time.perf_counter()
    chosen.output.mkdir(parents=True, exist_ok=True)
    arguments = ["generate", str(example_path(EXAMPLE)), "--output", str(chosen.output / "creature.glb")]
    arguments += ["--resolution", str(DEMO_RESOLUTION), "--sheet", str(chosen.output / "contact_sheet.png")]
    arguments += ["--quiet"] if chosen.quiet else []
    root = argparse.ArgumentParser()
    add_verbs(root.add_subparsers())
    again = root.parse_args(arguments)
    again.run(again)
    print(f"{chosen.output}: done in {time.perf_counter() - began:.1f} s")
