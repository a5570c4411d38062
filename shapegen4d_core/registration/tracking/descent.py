"""Large steps instead of Gauss-Newton: the published way of fitting, with the same distances, for comparison."""

from __future__ import annotations

import numpy as np
import torch

from ...geometry.arap import Arap
from ...geometry.laplacian import combinatorial_laplacian
from ...geometry.large_steps import AdamUniform, LargeSteps, preconditioner
from ...progress import Check, tick
from .settings import TrackSettings
from .surface import Target, Template, closest_pairs

STEPS_PER_ITERATION = 8  # so that the default takes the 300 steps or so that it needs
SMOOTHNESS = 99.0  # lambda at about 2500 vertices; grows with their number
RATES = (0.1, 0.005)


def descend(
    start: np.ndarray, template: Template, target: Target, settings: TrackSettings, check: Check | None = None
) -> np.ndarray:
    """Vertices float64 [V,3] after preconditioned descent from ``start`` [V,3], the rate falling along a cosine."""
    faces, count = template.faces, len(start)
    smoothness = SMOOTHNESS * max(1.0, count / 2500)
    change = LargeSteps(preconditioner(combinatorial_laplacian(faces, count), smoothness))
    arap = Arap.of_mesh(template.rest, faces)
    scale = float(np.ptp(template.rest, axis=0).max()) / 2
    parameters = change.to_parameters(torch.from_numpy(np.asarray(start, np.float64)))
    optimiser = AdamUniform([parameters], lr=RATES[0] * scale)
    steps = STEPS_PER_ITERATION * settings.iterations
    stiffness = np.geomspace(*settings.stiffness, steps)
    for step in range(steps):
        fade = (1 + np.cos(np.pi * step / steps)) / 2
        optimiser.param_groups[0]["lr"] = scale * (RATES[1] + (RATES[0] - RATES[1]) * fade)
        vertices = change.to_vertices(parameters)
        slope = _gradient(vertices.detach().numpy(), template, target, arap, settings.plane, stiffness[step])
        optimiser.zero_grad()
        vertices.backward(torch.from_numpy(slope))
        optimiser.step()
        tick(None, check, step, steps)
    return change.to_vertices(parameters).detach().numpy()


def _gradient(
    vertices: np.ndarray, template: Template, target: Target, arap: Arap, plane: float, stiffness: float
) -> np.ndarray:
    """The gradient [V,3] of half the sum of squares that Gauss-Newton lowers, for the pairs found now."""
    samples = template.samples(vertices)
    pairs = closest_pairs(samples, template.sample_normals(vertices), target, template.part)
    gap = samples[pairs.row] - pairs.point
    along = (gap * pairs.normal).sum(axis=1, keepdims=True) * pairs.normal
    pull = pairs.weight[:, None] * (plane * along + (1 - plane) * gap)
    sums = np.stack([np.bincount(pairs.row, pull[:, axis], len(samples)) for axis in range(3)], axis=1)
    return template.to_samples.T @ sums + stiffness * (arap.laplacian @ vertices - arap.pull(arap.rotations(vertices)))
