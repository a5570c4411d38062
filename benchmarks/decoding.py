"""Coarse-to-fine against dense decoding: evaluations, times, memory, and whether the surfaces are the same.

Times are CPU seconds of all threads, which other programs on the machine disturb least.

python benchmarks/decoding.py                     # analytic fields at resolution 384, truncation 0.01
python benchmarks/decoding.py --resolution 96 --truncation 0.1 --network
                                                  # the same values at the cost of the tiny model's field
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from shapegen4d_core.decoding.coarse import CoarseToFine
from shapegen4d_core.decoding.dense import Dense
from shapegen4d_core.decoding.grid import Grid
from shapegen4d_core.decoding.memory import ChunkedField, Field
from shapegen4d_core.decoding.surface import extract_surface, inspect_surface
from shapegen4d_core.models import PRESETS, ShapeVAE

Distance = Callable[[Tensor, Tensor, Tensor], Tensor]  # x, y, z [P] -> signed distance [P], positive inside


def ball(centre: tuple[float, float, float], radius: float) -> Distance:
    """A ball."""
    a, b, c = centre
    return lambda x, y, z: radius - ((x - a) ** 2 + (y - b) ** 2 + (z - c) ** 2).sqrt_()


def shell(centre: tuple[float, float, float], radius: float, wall: float) -> Distance:
    """A hollow ball with a wall of the given thickness."""
    solid = ball(centre, radius)
    return lambda x, y, z: wall / 2 - solid(x, y, z).abs_()


def torus(ring: float, tube: float) -> Distance:
    """A torus around z."""
    return lambda x, y, z: tube - torch.hypot(torch.hypot(x, y) - ring, z)


def slab(centre: tuple[float, float, float], half: tuple[float, float, float]) -> Distance:
    """A box, by the largest of the three axis distances (never more than the true distance)."""
    (a, b, c), (i, j, k) = centre, half

    def distance(x: Tensor, y: Tensor, z: Tensor) -> Tensor:
        return torch.minimum(torch.minimum(i - (x - a).abs(), j - (y - b).abs()), k - (z - c).abs())

    return distance


def union(*parts: Distance) -> Distance:
    """All parts together."""

    def distance(x: Tensor, y: Tensor, z: Tensor) -> Tensor:
        nearest = parts[0](x, y, z)
        for part in parts[1:]:
            nearest = torch.maximum(nearest, part(x, y, z))
        return nearest

    return distance


SHAPES: dict[str, Distance] = {
    "ball": ball((0, 0, 0), 0.8),
    "torus": torus(0.55, 0.22),
    "nested shells": union(shell((0, 0, 0), 0.8, 0.016), shell((0, 0, 0), 0.5, 0.016), torus(0.25, 0.08)),
    "several parts": union(
        ball((-0.5, -0.5, 0.1), 0.3),
        slab((0.5, 0.3, 0), (0.2, 0.5, 0.0082)),  # a wall of three cells at resolution 384
        shell((0.4, -0.5, -0.3), 0.35, 0.012),
        ball((0.031, 0.77, -0.77), 0.008),
        slab((-0.6, 0.5, 0.5), (0.3, 0.004, 0.004)),  # a strand
    ),
}


def field_of(shape: Distance, truncation: float) -> Field:
    """The truncated field of a distance: points [P,3] -> [P] in [-1,1]."""
    return lambda points: (shape(*points.unbind(1)) / truncation).clamp_(-1, 1)


def with_network_cost(field: Field) -> Field:
    """The same values after running the field head of the tiny model (random weights) on the points."""
    config = PRESETS["tiny"].vae
    torch.manual_seed(0)
    vae = ShapeVAE(config).eval()
    with torch.no_grad():
        head = vae.field(torch.randn(1, config.num_latents, config.width))
    return lambda points: field(points) + 0 * head(points[None])[0]


def peak_mib() -> float:
    """Peak resident memory of this process in MiB, 0 where the system does not tell."""
    try:
        import resource
    except ImportError:
        return 0.0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1024 if sys.platform != "darwin" else 1024 * 1024)


def compare(name: str, field: Field, grid: Grid, truncation: float, chunk: int) -> None:
    """Print one line: coarse-to-fine first (so that the peak is its own), then dense."""
    sampler = CoarseToFine(grid, truncation)
    start = time.process_time()
    sparse = sampler(ChunkedField(field, chunk))
    sparse_seconds = time.process_time() - start
    vertices, faces = extract_surface(sparse)
    peak = peak_mib()
    share = 100 * sparse.evaluations / grid.count
    del sparse
    report = inspect_surface(vertices, faces)
    start = time.process_time()
    dense = Dense(grid)(ChunkedField(field, chunk))
    dense_seconds = time.process_time() - start
    reference, _ = extract_surface(dense)
    same = len(reference) == len(vertices)
    difference = f"{np.abs(reference - vertices).max():.1e}" if same else "DIFFERENT"
    print(
        f"{name:14} {share:8.2f} % {sparse_seconds:8.2f} s {dense_seconds:8.2f} s "
        f"{dense_seconds / sparse_seconds:7.2f} {difference:>10} {report.faces:9} {report.components:5} "
        f"{'yes' if report.closed else 'NO':>7} {'yes' if sampler.certified else 'no':>10} {peak:7.0f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--resolution", type=int, default=384, help="grid cells per axis")
    parser.add_argument("--bounds", type=float, default=1.05, help="half side of the box, in half boxes")
    parser.add_argument("--truncation", type=float, default=0.01, help="in half boxes")
    parser.add_argument("--chunk", type=int, default=65536, help="points per call")
    parser.add_argument("--network", action="store_true", help="add the cost of the tiny model's field")
    parser.add_argument("--only", choices=list(SHAPES), nargs="*", default=list(SHAPES))
    options = parser.parse_args()
    grid = Grid(options.resolution, options.bounds)
    print(
        f"resolution {options.resolution}, {grid.count} vertices, truncation {options.truncation}, "
        f"{torch.get_num_threads()} threads of {os.cpu_count()} cores"
    )
    print(
        f"{'field':14} {'evaluated':>10} {'sparse':>10} {'dense':>10} {'ratio':>7} {'difference':>10} "
        f"{'faces':>9} {'parts':>5} {'closed':>7} {'certified':>10} {'MiB':>7}"
    )
    with torch.inference_mode():
        for name in options.only:
            field = field_of(SHAPES[name], options.truncation)
            field = with_network_cost(field) if options.network else field
            compare(name, field, grid, options.truncation, options.chunk)


if __name__ == "__main__":
    main()
