"""The nearest place on a triangle against a fine grid of places on it."""

import numpy as np
import pytest

from shapegen4d_core.geometry.triangles import closest_on_edges, closest_on_triangles

RANDOM = np.random.default_rng(0)


def places(count=60):
    """Barycentric weights of a grid over a triangle."""
    first, second = np.meshgrid(np.arange(count + 1), np.arange(count + 1))
    kept = first + second <= count
    return np.stack([first[kept], second[kept], count - first[kept] - second[kept]], axis=1) / count


def gap(points, triangles, weights):
    return np.linalg.norm((triangles * weights[..., None]).sum(axis=1) - points, axis=1)


@pytest.mark.parametrize("flat", [False, True], ids=["solid", "degenerate"])
def test_nearest_place_on_triangles(flat):
    points, triangles = RANDOM.normal(size=(200, 3)), RANDOM.normal(size=(200, 3, 3))
    if flat:
        triangles[:, 2] = 0.3 * triangles[:, 0] + 0.7 * triangles[:, 1]
    weights = closest_on_triangles(points, triangles)
    assert weights.min() >= 0 and np.allclose(weights.sum(axis=1), 1)
    grid = places()
    tried = np.linalg.norm(np.einsum("gc,pcx->pgx", grid, triangles) - points[:, None], axis=-1).min(axis=1)
    found = gap(points, triangles, weights)
    assert (found <= tried + 1e-9).all() and (tried - found).max() < 0.06


@pytest.mark.parametrize("dimensions", [2, 3])
def test_nearest_place_on_edges(dimensions):
    points, triangles = RANDOM.normal(size=(200, dimensions)), RANDOM.normal(size=(200, 3, dimensions))
    weights, squared = closest_on_edges(points, triangles)
    assert (weights.min(axis=1) == 0).all() and np.allclose(gap(points, triangles, weights) ** 2, squared)
    grid = places()
    grid = grid[grid.min(axis=1) == 0]
    tried = np.linalg.norm(np.einsum("gc,pcx->pgx", grid, triangles) - points[:, None], axis=-1).min(axis=1)
    assert (np.sqrt(squared) <= tried + 1e-9).all() and (tried - np.sqrt(squared)).max() < 0.06
