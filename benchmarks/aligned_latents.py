"""Latents of neighbouring frames: aligned query points against points sampled anew on every frame (paper Fig. 3c).

    python benchmarks/aligned_latents.py                       # the animated test files and procedural clips
    python benchmarks/aligned_latents.py --assets my_folder --model tiny --resolution 128

Every frame is encoded with the same surface cloud by both; only the query points differ. "nearest" compares each
latent with that of the nearest query point in the next frame, as the paper does; "by index" with the latent of the
same number, which is how a denoiser sees them. Differences are L2 norms over the root mean square of the latents about
their mean.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from scipy.spatial import cKDTree

from shapegen4d_core import models
from shapegen4d_core.data.curation.asset import curate_mesh
from shapegen4d_core.data.curation.rejection import Rejected
from shapegen4d_core.data.curation.run import find_files
from shapegen4d_core.data.curation.settings import preset
from shapegen4d_core.data.families import FAMILIES
from shapegen4d_core.data.procedural import build_clip
from shapegen4d_core.geometry.sampling import farthest_point_sampling
from shapegen4d_core.importing import load_animated

ASSETS = Path(__file__).parents[1] / "tests" / "data" / "animated"
POINTS = 1024


def clips(options: argparse.Namespace):
    """Name, surface [T,P,6] and aligned points [T,Q,6] of every asset."""
    settings = preset("tiny", views=1, resolution=options.resolution, least_faces=4, image_size=28, supersampling=4)
    for name, path in find_files(options.assets).items():
        try:
            mesh = load_animated(path, frames=settings.frames)
            arrays, _, _ = curate_mesh(mesh, f"{name}-v0", 0, settings)
        except Rejected as refusal:
            print(f"{name}: {refusal}")
            continue
        yield name, arrays["surface"], arrays["aligned"]
    for family in list(FAMILIES)[: options.procedural]:
        clip = build_clip(family, 1_000_000)
        yield f"procedural {family}", clip["surface"], clip["aligned"]


def sampled_anew(surface: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Farthest points [T,count,6] of every frame's own cloud [T,P,6], each from a random start."""
    rows = []
    for frame in surface:
        frame = rng.permutation(frame)
        chosen = farthest_point_sampling(torch.from_numpy(frame[None, :, :3].astype(np.float32)), count)
        rows.append(frame[chosen[0].numpy()])
    return np.stack(rows)


@torch.inference_mode()
def differences(vae, surface: np.ndarray, query: np.ndarray) -> tuple[float, float]:
    """Mean difference between neighbouring frames over the latents' deviation: to the nearest, and by index."""
    cloud, points = (torch.from_numpy(array.astype(np.float32)) for array in (surface[:, :POINTS], query))
    latents = vae.encode(cloud, query=points).mode().numpy().astype(np.float64)
    scale = np.sqrt(((latents - latents.mean((0, 1))) ** 2).sum(-1).mean())
    nearest, same = [], []
    for t in range(len(latents) - 1):
        _, match = cKDTree(query[t + 1, :, :3].astype(np.float64)).query(query[t, :, :3].astype(np.float64))
        nearest.append(np.linalg.norm(latents[t] - latents[t + 1][match], axis=-1).mean())
        same.append(np.linalg.norm(latents[t] - latents[t + 1], axis=-1).mean())
    return float(np.mean(nearest) / scale), float(np.mean(same) / scale)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--assets", type=Path, default=ASSETS, help="folder of animated files")
    parser.add_argument("--model", default="tiny")
    parser.add_argument("--resolution", type=int, default=96, help="grid for closing surfaces (default: 96)")
    parser.add_argument("--procedural", type=int, default=4, help="procedural families (default: 4)")
    options = parser.parse_args()
    vae = models.load(options.model).vae
    count, rng, rows = vae.config.num_latents, np.random.default_rng(0), []
    print(f"{count} latents per frame; mean normalised difference between neighbouring frames")
    print("| asset | aligned, nearest | anew, nearest | ratio | aligned, by index | anew, by index | ratio |")
    print("|---|---|---|---|---|---|---|")
    for name, surface, aligned in clips(options):
        near, index = differences(vae, surface, aligned[:, :count])
        anew_near, anew_index = differences(vae, surface, sampled_anew(surface, count, rng))
        rows.append((near, anew_near, index, anew_index))
        print(_row(name, rows[-1]), flush=True)
    print(_row("mean", np.mean(rows, axis=0)))


def _row(name: str, values) -> str:
    near, anew_near, index, anew_index = values
    return (
        f"| {name} | {near:.3f} | {anew_near:.3f} | {near / anew_near:.2f} "
        f"| {index:.3f} | {anew_index:.3f} | {index / anew_index:.2f} |"
    )


if __name__ == "__main__":
    main()
