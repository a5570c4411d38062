"""Rasterisers side by side, and what gradients cost: ratios of two ways in one run, and how exact they are.

The shapes are balls with bumps. The rasterisers' pictures are compared with torch's and the differing pixels counted;
there should be none. The mask's gradient in yaw, pitch, radius and look-at is held against central differences of a
mask with 16 x 16 samples per pixel. Times are the best of some runs, in CPU seconds on a CPU.

python benchmarks/rendering.py                       # torch against Warp where it is installed
python benchmarks/rendering.py --pytorch3d           # and pytorch3d, which takes minutes without a GPU
python benchmarks/rendering.py --device cuda --sizes 512 1024
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch
import trimesh
from torch import Tensor
from torch.nn.functional import cosine_similarity, normalize

from shapegen4d_core.rendering import opencv_camera, rasterise, rasterise_views, soft_mask, turntable
from shapegen4d_core.rendering.edges import mesh_edges
from shapegen4d_core.sequence import Camera

FINE = 16  # samples per pixel along each side of the reference mask
STEP = 4e-3  # of the central differences


def bumpy(subdivisions: int, device: str) -> tuple[Tensor, Tensor]:
    """A ball with bumps and 20 x 4^subdivisions faces, within the unit box."""
    ball = trimesh.creation.icosphere(subdivisions)
    bumps = 1 + 0.15 * np.sin(6 * ball.vertices[:, :1]) + 0.12 * np.cos(5 * ball.vertices[:, 1:2] + 1)
    vertices = 0.7 * ball.vertices * bumps + [0.05, 0, 0.03]
    return torch.tensor(vertices, dtype=torch.float32, device=device), torch.tensor(ball.faces, device=device)


def measured(job: Callable[[], Any], device: str, runs: int) -> tuple[float, Any]:
    """Best milliseconds of ``runs`` and the result; the first of several is not counted."""
    times = []
    for _ in range(runs):
        start = time.process_time() if device == "cpu" else time.perf_counter()
        result = job()
        if device != "cpu":
            torch.cuda.synchronize()
        times.append((time.process_time() if device == "cpu" else time.perf_counter()) - start)
    return 1e3 * min(times[1:] or times), result


def compare_rasterisers(backends: list[str], sizes: list[int], device: str, runs: int) -> None:
    """One line per shape and size: milliseconds of each rasteriser, torch's time over it, differing pixels."""
    print("One picture: milliseconds, torch's time over it, pixels that differ from torch's")
    for subdivisions in (4, 6):
        mesh = bumpy(subdivisions, device)
        for size in sizes:
            camera = opencv_camera(Camera(30, 20, 4.0, (0, 0, 0), 30, size, size))
            line = f"  {len(mesh[1]):6} faces {size:5} px"
            for backend in backends:

                def draw(backend=backend, camera=camera, size=size, mesh=mesh):
                    return rasterise(*mesh, *camera, (size, size), backend=backend)

                took, raster = measured(draw, device, 1 if backend == "pytorch3d" and device == "cpu" else runs)
                if backend == "torch":
                    base, expected = took, raster
                    line += f" | torch {took:.1f}"
                else:
                    differing = int((raster.face_id != expected.face_id).sum())
                    line += f" | {backend} {took:.1f}, x {base / took:.3g}, {differing} differ"
            print(line, flush=True)


def compare_views(backends: list[str], device: str, runs: int) -> None:
    """Many small pictures one by one and in one call."""
    print("64 pictures of 96 px, 1280 faces: milliseconds one by one, in one call, ratio")
    mesh, size = bumpy(3, device), (96, 96)
    views = [opencv_camera(camera) for camera in turntable(Camera(0, 20, 4.0, (0, 0, 0), 30, 96, 96), 64)]
    together = [torch.stack(parts) for parts in zip(*views)]
    for backend in backends:
        alone, _ = measured(lambda b=backend: [rasterise(*mesh, *v, size, backend=b) for v in views], device, runs)
        at_once, _ = measured(lambda b=backend: rasterise_views(*mesh, *together, size, backend=b), device, runs)
        print(f"  {backend:6} {alone:8.1f} {at_once:8.1f}  x {alone / at_once:.3g}", flush=True)


def pose(parameters: Tensor) -> tuple[Tensor, Tensor]:
    """R and t of (yaw, pitch, radius, look-at), z up, with the eye at ``radius`` from the origin; differentiable."""
    yaw, pitch, radius = parameters[:3]
    eye = radius * torch.stack([yaw.sin() * pitch.cos(), yaw.cos() * pitch.cos(), pitch.sin()])
    forward = normalize(parameters[3:] - eye, dim=0)
    right = normalize(torch.linalg.cross(parameters.new_tensor([0, 0, -1.0]), forward), dim=0)
    rotation = torch.stack([right, torch.linalg.cross(forward, right), forward])
    return rotation, -rotation @ eye


def check_gradients(device: str, runs: int, size: int = 128) -> None:
    """One line per shape: error and cosine of the gradient of a weighted area, bias of the area, and the cost."""
    print(f"Mask with gradients, {size} px: relative error, cosine, bias of the area; milliseconds of both")
    print("  passes, and over the time of the faces alone")
    focal = size / 2 / np.tan(np.radians(20))
    intrinsics = torch.tensor([[focal, 0, size / 2], [0, focal, size / 2], [0, 0, 1]], dtype=torch.float64)
    fine = intrinsics * torch.tensor([FINE, FINE, 1])[:, None]
    place = (torch.arange(size * FINE, dtype=torch.float64, device=device) + 0.5) / (size * FINE)
    weights = 1 + 0.7 * torch.sin(7 * place[:, None] + 2) * torch.cos(5 * place) + 0.5 * place
    coarse = weights.view(size, FINE, size, FINE).mean(dim=(1, 3))
    at = torch.tensor([0.7, 0.3, 2.8, 0.03, 0.02, -0.04], dtype=torch.float64, device=device)
    for subdivisions in (3, 4, 6):
        mesh = bumpy(subdivisions, device)
        edges = mesh_edges(mesh[1])

        def reference(parameters, mesh=mesh):
            seen = rasterise(*mesh, fine, *pose(parameters), (size * FINE, size * FINE)).face_id >= 0
            return float((weights * seen).sum()) / FINE**2

        def soft(mesh=mesh, edges=edges):
            parameters = at.clone().requires_grad_()
            area = (soft_mask(*mesh, intrinsics, *pose(parameters), (size, size), edges) * coarse).sum()
            area.backward()
            return area.item(), parameters.grad

        steps = STEP * torch.eye(6, dtype=torch.float64, device=device)
        expected = at.new_tensor([(reference(at + step) - reference(at - step)) / (2 * STEP) for step in steps])
        took, (area, gradient) = measured(soft, device, runs)
        alone, _ = measured(lambda m=mesh: rasterise(*m, intrinsics, *pose(at), (size, size)), device, runs)
        error = float((gradient - expected).norm() / expected.norm())
        cosine = float(cosine_similarity(gradient, expected, dim=0))
        bias = area / reference(at) - 1
        print(f"  {len(mesh[1]):6} faces {error:.4f} {cosine:.5f} {100 * bias:+.3f} %  {took:.1f} x {took / alone:.3g}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--device", default="cpu", help="torch device")
    parser.add_argument("--sizes", type=int, nargs="*", default=[128, 256, 512], help="sides of the pictures in pixels")
    parser.add_argument("--runs", type=int, default=6, help="runs of which the best counts")
    parser.add_argument("--pytorch3d", action="store_true", help="pytorch3d too, if it is installed")
    options = parser.parse_args()
    backends = ["torch"] + [name for name in ("warp", "pytorch3d") if find_spec(name)]
    backends = [name for name in backends if name != "pytorch3d" or options.pytorch3d]
    print(f"{options.device}, {torch.get_num_threads()} threads, torch {torch.__version__}, {', '.join(backends)}")
    compare_rasterisers(backends, options.sizes, options.device, options.runs)
    compare_views([name for name in backends if name != "pytorch3d"], options.device, options.runs)
    check_gradients(options.device, options.runs)


if __name__ == "__main__":
    main()
