"""The published coarse-to-fine grid and surface, against golden data (golden/volume_decode/README.md)."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from shapegen4d_core.decoding.coarse import CoarseToFine
from shapegen4d_core.decoding.dense import Dense
from shapegen4d_core.decoding.grid import Grid
from shapegen4d_core.decoding.memory import ChunkedField
from shapegen4d_core.decoding.published import Published, extract_published, level_resolutions
from shapegen4d_core.decoding.surface import extract_surface
from shapegen4d_core.geometry.mesh import enclosed_volume

TOLERANCE = 1e-6
TRUNCATION = 0.05  # of the golden field


def torus(points: torch.Tensor) -> torch.Tensor:
    """The field of the golden data, as its README writes it: a torus around z, truncated at 0.05."""
    x, y, z = points.unbind(1)
    ring = (x**2 + y**2).sqrt() - 0.55
    return ((0.22 - (ring**2 + z**2).sqrt()) / TRUNCATION).clamp(-1, 1)


FIELDS = {"torus": torus}


@pytest.fixture(scope="module")
def decoded(golden):
    """The golden values beside ours, computed with the golden settings."""
    given = golden("volume_decode")
    config = given.config
    grid = Grid(config["octree_resolution"], config["bounds"])
    sampler = Published(grid, config["min_resolution"], config["near_surface_threshold"], keep=True)
    field = ChunkedField(FIELDS[config["field"]], 65536, config["mc_level"])
    sample = sampler(field)
    coarse = Grid(config["dense_octree_resolution"], config["bounds"])
    return SimpleNamespace(
        expected={name: value.numpy() for name, value in given.io.items()},
        config=config,
        field=field,
        levels=sampler.levels,
        sample=sample,
        dense=Dense(coarse)(field),
    )


def triangles(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Corners [F,9] of faces without NaN, each starting at its lowest corner, sorted: a set of triangles."""
    corners = vertices.astype(np.float64)[faces]
    corners = corners[np.isfinite(corners).all(axis=(1, 2))]
    keys = np.round(corners, 5)
    first = np.lexsort(keys.transpose(2, 0, 1)[::-1], axis=-1)[:, :1]
    order = (first + np.arange(3)) % 3
    rolled = np.take_along_axis(corners, order[:, :, None], axis=1).reshape(-1, 9)
    return rolled[np.lexsort(np.round(rolled, 5).T[::-1])]


def test_levels_and_counts(decoded):
    expected = decoded.expected["resolutions"].tolist()
    config = decoded.config
    assert level_resolutions(config["octree_resolution"], config["min_resolution"]) == expected
    assert [level.resolution for level in decoded.levels] == expected
    counts = decoded.expected["level_point_counts"].tolist()
    assert [len(level.points) for level in decoded.levels] == counts
    assert decoded.sample.evaluations == sum(counts)


def test_evaluated_points(decoded):
    checked = 0
    for number, level in enumerate(decoded.levels):
        first = decoded.expected.get(f"level{number}_first_points")
        if first is not None:
            np.testing.assert_allclose(level.points[: len(first)].numpy(), first, atol=TOLERANCE)
            checked += 1
        total = decoded.expected.get(f"level{number}_point_sum")
        if total is not None:
            np.testing.assert_allclose(level.points.double().sum(0).numpy(), total, atol=TOLERANCE)
            checked += 1
    assert checked >= len(decoded.levels)


def test_values_and_mask(decoded):
    valid = ~decoded.sample.values.isnan().numpy()
    np.testing.assert_array_equal(np.packbits(valid.reshape(-1)), decoded.expected["final_valid_mask"])
    values = decoded.sample.values.numpy()[valid]
    np.testing.assert_allclose(values, decoded.expected["final_values"], atol=TOLERANCE)
    np.testing.assert_allclose(decoded.dense.values.numpy(), decoded.expected["dense_grid"], atol=TOLERANCE)


@pytest.mark.parametrize("which", ["dense", "hier"])
def test_meshes(decoded, which):
    vertices, faces = extract_published(decoded.dense if which == "dense" else decoded.sample)
    expected = triangles(decoded.expected[f"{which}_vertices"], decoded.expected[f"{which}_faces"])
    ours = triangles(vertices, faces)
    assert ours.shape == expected.shape
    np.testing.assert_allclose(ours, expected, atol=TOLERANCE)


def test_ours_is_the_same_surface_at_the_right_scale(decoded):
    """Our sampler finds the dense surface of the same field, in coordinates that divide by cells."""
    grid = decoded.dense.grid
    ours, faces = extract_surface(CoarseToFine(grid, TRUNCATION, decoded.config["mc_level"], step=3)(decoded.field))
    published = decoded.expected["dense_vertices"].astype(np.float64)
    scaled = (published + grid.bounds) * grid.side / grid.resolution - grid.bounds
    assert len(ours) == len(scaled)
    close = np.abs(np.sort(ours, axis=0) - np.sort(scaled, axis=0)).max()
    assert close < 1e-4 * TRUNCATION + TOLERANCE  # values near zero are nudged by 1e-4 truncations
    assert enclosed_volume(ours, faces) > 0
