"""Textures from one view: PSNR of re-rendered frames at that view and around it, all frames against the first alone.

An animated asset with a known texture is rendered from one view. The meshes without their texture, and these pictures,
go in; pictures of the result are compared with pictures of the truth where both are opaque, the mean over all frames.
Times are CPU seconds of this process, which other programs on the machine disturb least.

python benchmarks/texturing.py                         # a table; both assets, with every stage removed once
python benchmarks/texturing.py --sheets pictures       # and contact sheets, texture and confidence pages
python benchmarks/texturing.py --sizes 512 1024 2048   # time and memory against texture size
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
import trimesh
from torch import Tensor

from shapegen4d_core.geometry.surface_points import unit_box
from shapegen4d_core.importing import load_animated, to_sequence
from shapegen4d_core.rendering import contact_sheet, opencv_camera, save_png
from shapegen4d_core.rendering.textured import render_textured
from shapegen4d_core.sequence import Camera, Clip, MeshSequence
from shapegen4d_core.texturing import TextureResult, TextureSettings, texture_from_video, unwrap
from shapegen4d_core.texturing.page import page_bytes, paint_page
from shapegen4d_core.texturing.texels import surface_texels

PANDA = Path(__file__).resolve().parent.parent / "tests" / "data" / "animated" / "panda_walk.glb"
VIEWS = (0.0, 30.0, 90.0, -90.0, 180.0)  # degrees around from the filmed view
GREY = (0.55, 0.6, 0.7)


@dataclass(frozen=True)
class Asset:
    """A textured sequence and the yaw it is filmed from."""

    name: str
    truth: MeshSequence
    yaw: float


def panda(frames: int) -> Asset:
    """The walking panda in the unit box, seen from its side and front."""
    sequence = to_sequence(load_animated(PANDA, frames=frames))
    box = unit_box(sequence.vertices)
    return Asset("panda", replace(sequence, vertices=tuple(box(v).astype(np.float32) for v in sequence.vertices)), 60.0)


def twister(frames: int) -> Asset:
    """A bent, twisting body without any symmetry, with a pattern of stripes, spots and colours that all differ."""
    mesh = trimesh.creation.icosphere(subdivisions=4)
    rest = np.asarray(mesh.vertices) * [0.45, 0.9, 0.35]
    rest[:, 0] += 0.25 * np.sin(2.5 * rest[:, 1])
    faces = np.asarray(mesh.faces, np.int32)
    cut = unwrap(rest.astype(np.float32), faces, texture_size=1024)
    texels = surface_texels(cut.faces, cut.uv, 1024)
    points = texels.mix(rest[cut.vertex].astype(np.float32), cut.faces)
    page = page_bytes(paint_page(texels, _pattern(points).astype(np.float32)))
    poses = [_twisted(rest[cut.vertex], 2 * np.pi * t / frames) for t in range(frames)]
    sequence = MeshSequence(tuple(poses), (cut.faces,) * frames, 8.0, "twister", uv=cut.uv, texture=page)
    return Asset("twister", sequence, 0.0)


def _pattern(points: np.ndarray) -> np.ndarray:
    x, y, z = points.T
    base = 0.5 + 0.35 * np.sin(np.stack([3 * x + 2 * y, 4 * y + 1, 5 * z - 2 * y + 2], axis=1))
    stripes = (np.sin(30 * y + 5 * x) > 0.6)[:, None]
    spots = (np.sin(16 * x) * np.sin(13 * y + 1) * np.sin(17 * z) > 0.35)[:, None]
    return np.where(spots, 0.9, np.where(stripes, 0.15 + 0.3 * base, base))


def _twisted(points: np.ndarray, phase: float) -> np.ndarray:
    angle = 0.9 * np.sin(phase) * points[:, 1] + 0.5 * np.sin(phase)
    cosine, sine = np.cos(angle), np.sin(angle)
    x, y, z = points.T
    return np.stack([cosine * x + sine * z, y, cosine * z - sine * x], axis=1).astype(np.float32)


def camera_at(yaw: float, side: int) -> Camera:
    """A camera that sees the unit box from 10 degrees above."""
    return Camera(yaw, 10.0, 4.2, (0.0, 0.0, 0.0), 32.0, side, side)


def filmed(sequence: MeshSequence, camera: Camera, supersampling: int = 4) -> Tensor:
    """Unlit pictures [T,H,W,4]."""
    view, size = opencv_camera(camera), (camera.height, camera.width)
    fixed = torch.from_numpy(sequence.faces[0]), torch.from_numpy(sequence.uv), sequence.texture
    frames = (torch.from_numpy(vertices) for vertices in sequence.vertices)
    return torch.stack([render_textured(frame, *fixed, *view, size, supersampling) for frame in frames])


def psnr(found: Tensor, truth: Tensor) -> float:
    """Decibels over all pixels opaque in both, mean over frames."""
    values = []
    for a, b in zip(found, truth):
        both = (a[..., 3] > 0.99) & (b[..., 3] > 0.99)
        values.append(float(-10 * torch.log10(((a - b)[..., :3][both] ** 2).mean())))
    return float(np.mean(values))


def shifted(meshes: MeshSequence, camera: Camera, side: int, pixels: float) -> MeshSequence:
    """The meshes moved by up to ``pixels`` in the picture, another way in every frame, as bad registration would."""
    rng = np.random.default_rng(0)
    step = pixels * 2 * camera.radius * np.tan(np.radians(camera.fov_degrees / 2)) / side
    moves = rng.uniform(-1, 1, (meshes.frame_count, 3)) * step
    return replace(meshes, vertices=tuple((v + m).astype(np.float32) for v, m in zip(meshes.vertices, moves)))


def measure(
    asset: Asset, settings: TextureSettings, truth: dict[float, Tensor], side: int, misfit: float
) -> tuple[TextureResult, dict[float, Tensor], float]:
    """The result, its pictures and the CPU seconds of texturing."""
    bare = replace(asset.truth, uv=None, texture=None)
    camera = camera_at(asset.yaw, side)
    given = shifted(bare, camera, side, misfit) if misfit else bare
    began = time.process_time()
    result = texture_from_video(given, Clip(truth[0.0], 8.0, asset.name), camera, settings)
    seconds = time.process_time() - began
    cut = result.meshes
    rows = _rows_of(bare, given, cut)
    back = replace(cut, vertices=tuple(np.ascontiguousarray(v[rows]) for v in bare.vertices))
    return result, {a: filmed(back, camera_at(asset.yaw + a, side)) for a in truth}, seconds


def _rows_of(bare: MeshSequence, given: MeshSequence, cut: MeshSequence) -> np.ndarray:
    """The original vertex each vertex of the cut mesh is a copy of."""
    rows = np.zeros(len(cut.vertices[0]), np.int64)
    rows[cut.faces[0].reshape(-1)] = bare.faces[0].reshape(-1)
    assert np.array_equal(given.vertices[0][rows], cut.vertices[0])
    return rows


def table(asset: Asset, side: int, size: int, misfit: float, sheets: Path | None, only: list[str]) -> None:
    """One line per way of texturing."""
    truth = {angle: filmed(asset.truth, camera_at(asset.yaw + angle, side)) for angle in VIEWS}
    base = TextureSettings(size=size)
    ways = {
        "first frame": replace(base, mode="first frame"),
        "all frames": base,
        "no symmetry": replace(base, symmetry=False),
        "no robust passes": replace(base, robust_passes=0),
        "no refine passes": replace(base, refine_passes=0),
        "plain mean": replace(base, sharpness=1.0, robust_passes=0, refine_passes=0, border_pixels=0.0),
    }
    moved = f", meshes moved up to {misfit:g} px" if misfit else ""
    print(f"{asset.name}: {len(truth[0.0])} frames of {side} px, texture {size}{moved}")
    print(f"{'':18}" + "".join(f"{angle:+8.0f}" for angle in VIEWS) + "    seen  mirrored  CPU s")
    for name, settings in ways.items():
        if only and name not in only:
            continue
        result, found, seconds = measure(asset, settings, truth, side, misfit)
        values = "".join(f"{psnr(found[angle], truth[angle]):8.2f}" for angle in VIEWS)
        shares = result.report.shares
        print(f"{name:18}{values} {shares['seen']:7.3f} {shares['mirrored']:9.3f} {seconds:6.1f}", flush=True)
        if sheets is not None and name in ("first frame", "all frames"):
            write_sheets(asset, name, result, found, truth, sheets)


def write_sheets(
    asset: Asset, name: str, result: TextureResult, found: dict[float, Tensor], truth: dict[float, Tensor], folder: Path
) -> None:
    """Truth above result from every view, and the pages."""
    folder.mkdir(parents=True, exist_ok=True)
    stem = f"{asset.name}_{name.replace(' ', '_')}"
    step = max(1, len(truth[0.0]) // 4)
    rows, labels = [], []
    for angle in VIEWS:
        rows += [truth[angle][::step], found[angle][::step]]
        labels += [f"truth {angle:+.0f} degrees", f"{name} {angle:+.0f} degrees"]
    save_png(contact_sheet(rows, labels, GREY), folder / f"{stem}.png")
    save_png(result.meshes.texture, folder / f"{stem}_texture.png")
    sure = (result.confidence * 255 + 0.5).astype(np.uint8)
    save_png(sure[..., None].repeat(3, axis=2), folder / f"{stem}_confidence.png")


def costs(asset: Asset, side: int, sizes: list[int]) -> None:
    """Time and peak memory against texture size; the peak only grows, so sizes go up."""
    truth = {0.0: filmed(asset.truth, camera_at(asset.yaw, side))}
    print(f"{asset.name}: {len(truth[0.0])} frames; texture size, CPU s, peak MiB of the process, bytes of the image")
    for size in sorted(sizes):
        _, _, seconds = measure(asset, TextureSettings(size=size), truth, side, 0.0)
        print(f"{size:6} {seconds:8.1f} {peak_mib():8.0f} {3 * size * size:12}", flush=True)


def peak_mib() -> float:
    """Peak resident memory of this process in MiB, 0 where the system does not tell."""
    try:
        import resource
    except ImportError:
        return 0.0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1024 if sys.platform != "darwin" else 1024 * 1024)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--frames", type=int, default=16)
    parser.add_argument("--side", type=int, default=256, help="pixels of the clip and of the compared pictures")
    parser.add_argument("--size", type=int, default=1024, help="texels of the texture")
    parser.add_argument("--misfit", type=float, nargs="*", default=[1.0, 2.0], help="pixels by which meshes are moved")
    parser.add_argument("--sizes", type=int, nargs="*", help="measure time and memory at these sizes instead")
    parser.add_argument("--sheets", type=Path, help="folder for contact sheets and pages")
    parser.add_argument("--only", nargs="*", default=[], help="lines of the table, such as 'all frames'; default all")
    options = parser.parse_args()
    assets = [panda(options.frames), twister(options.frames)]
    if options.sizes:
        costs(assets[0], options.side, options.sizes)
        return
    for asset in assets:
        table(asset, options.side, options.size, 0.0, options.sheets, options.only)
        for pixels in options.misfit:
            table(asset, options.side, options.size, pixels, None, options.only)


if __name__ == "__main__":
    main()
