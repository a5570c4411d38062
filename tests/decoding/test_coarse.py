"""Coarse-to-fine sampling finds the surface of the dense grid, all of it where that is promised."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import cKDTree

from shapegen4d_core.decoding.coarse import CoarseToFine
from shapegen4d_core.decoding.dense import Dense
from shapegen4d_core.decoding.grid import Grid
from shapegen4d_core.decoding.memory import ChunkedField
from shapegen4d_core.decoding.surface import extract_surface
from shapegen4d_core.geometry.mesh import enclosed_volume, is_closed, is_edge_manifold


def sample_both(field, grid, truncation=None, level=0.0, step=None, chunk=8192):
    """Our sample, the dense one, and their meshes."""
    sparse = CoarseToFine(grid, truncation, level, step=step)(ChunkedField(field, chunk, level))
    dense = Dense(grid)(ChunkedField(field, chunk, level))
    return sparse, dense, extract_surface(sparse), extract_surface(dense)


def assert_same_surface(ours, reference):
    assert len(reference[0]) > 0
    np.testing.assert_array_equal(ours[1], reference[1])
    np.testing.assert_allclose(ours[0], reference[0], atol=1e-6)


def assert_values_are_exact_or_signs(sparse, dense):
    guessed = sparse.values != dense.values
    assert (sparse.values[guessed].abs() == 1).all()
    assert torch.equal(sparse.values >= 0, dense.values >= 0)


@pytest.mark.parametrize("resolution", [24, 25, 26, 35, 48, 64])
@pytest.mark.parametrize("truncation", [0.02, 0.1, 0.4])
def test_same_surface_for_any_resolution(shapes, resolution, truncation):
    """Odd sizes leave a last coarse cell of one or two fine ones; wide truncations start at step 9."""
    distance = shapes.union(shapes.torus(0.6, 0.2), shapes.ball((0.0, 0.8, -0.7), 0.2))
    field = shapes.field(distance, truncation)
    sparse, dense, ours, reference = sample_both(field, Grid(resolution, 1.05), truncation)
    assert sparse.evaluations < dense.evaluations
    assert_same_surface(ours, reference)
    assert_values_are_exact_or_signs(sparse, dense)


@pytest.mark.parametrize("resolution", [8, 9, 16, 23])
def test_small_grids_are_dense(shapes, resolution):
    field = shapes.field(shapes.ball((0.1, 0.0, 0.0), 0.5), 0.1)
    sampler = CoarseToFine(Grid(resolution, 1.05), 0.1)
    sample = sampler(ChunkedField(field, 100))
    assert sample.evaluations == (resolution + 1) ** 3 and sampler.certified
    assert torch.equal(sample.values, Dense(sampler.grid)(ChunkedField(field, 100)).values)


def test_step_and_promise_follow_the_truncation():
    grid = Grid(384, 1.05)
    assert [CoarseToFine(grid, t).step for t in (None, 0.001, 0.01, 0.1)] == [3, 3, 3, 9]
    assert [CoarseToFine(grid, t).certified for t in (None, 0.001, 0.01, 0.1)] == [False, False, True, True]
    assert not CoarseToFine(grid, 0.01, level=0.2).certified  # the field saturates 20 % sooner on one side
    assert CoarseToFine(Grid(64, 1.05), 0.1).certified  # the bundled model


def test_certified_grids_miss_nothing_however_small(shapes):
    """A speck around one single vertex, at every place it can take in the coarse lattice."""
    grid = Grid(60, 1.0)
    truncation = 1.01 * math.sqrt(3) * grid.cell / 0.95
    body = shapes.ball((-0.5, -0.5, -0.5), 0.2)
    sampler = CoarseToFine(grid, truncation)
    assert sampler.certified and sampler.step == 3
    for place in itertools.product((39, 40, 41), repeat=3):
        centre = tuple(grid.axis()[list(place)].tolist())
        field = shapes.field(shapes.union(body, shapes.ball(centre, 0.2 * grid.cell)), truncation)
        sample = sampler(ChunkedField(field, 8192))
        assert sample.values[place] > 0
        dense = Dense(grid)(ChunkedField(field, 65536))
        assert torch.equal(sample.values >= 0, dense.values >= 0)


def test_certified_start_at_nine(shapes):
    """Two refinements: fine vertices between step-9 ones are at most 4*sqrt(3) cells away."""
    grid = Grid(81, 1.0)
    truncation = 4 * math.sqrt(3) * grid.cell / 0.95 * 1.001
    sampler = CoarseToFine(grid, truncation)
    assert sampler.step == 9 and sampler.certified
    for place in ((40, 41, 40), (41, 40, 41), (40, 40, 40), (38, 49, 44)):
        centre = tuple(grid.axis()[list(place)].tolist())
        distance = shapes.union(shapes.ball((-0.6, 0.0, 0.0), 0.2), shapes.ball(centre, 0.2 * grid.cell))
        sample = sampler(ChunkedField(shapes.field(distance, truncation), 65536))
        assert sample.values[place] > 0
        assert sample.evaluations < 0.05 * grid.count


def test_what_is_not_promised_is_whole_components(shapes):
    """Far below the promise specks may be missed, but what is found is exact and closed."""
    grid = Grid(60, 1.0)
    random = np.random.default_rng(0)
    balls = [
        shapes.ball(tuple(random.uniform(-0.9, 0.9, 3).tolist()), float(random.uniform(0.01, 0.1)))
        for _ in range(60)
    ]
    field = shapes.field(shapes.union(*balls), 0.002)
    _, _, ours, reference = sample_both(field, grid, 0.002)
    assert is_closed(ours[1]) and len(ours[0]) > 0
    assert cKDTree(reference[0]).query(ours[0])[0].max() < 1e-6
    assert len(ours[0]) < len(reference[0])


@pytest.mark.parametrize("known", [True, False])
def test_walls_and_strands_of_one_cell_are_whole(shapes, known):
    """Below the promise, but half a wall and 0.95 t reach 1.5 cells: seen once, followed everywhere."""
    grid = Grid(90, 1.0)
    half, truncation = 0.55 * grid.cell, 1.05 * grid.cell
    parts = shapes.union(
        shapes.slab((0.0, 0.013, 0.3), (0.8, 0.8, half)),
        shapes.shell((0.0, 0.0, -0.4), 0.5, 2 * half),
        shapes.slab((0.511, -0.713, 0.0), (half, half, 0.9)),
    )
    field = shapes.field(parts, truncation)
    _, _, ours, reference = sample_both(field, grid, truncation if known else None)
    assert_same_surface(ours, reference)


def test_a_start_too_coarse_for_the_field_is_exact_where_it_finds(shapes):
    """Step 9 with a truncation of half a cell: signs guessed at step 3 are evaluated near the surface."""
    grid = Grid(50, 1.0)
    field = shapes.field(shapes.torus(0.6, 0.3), grid.cell / 2)
    _, _, ours, reference = sample_both(field, grid, grid.cell / 2, step=9)
    assert_same_surface(ours, reference)


@pytest.mark.parametrize("resolution", [25, 36, 83])
def test_no_vertex_is_evaluated_twice(shapes, resolution):
    seen = []
    field = shapes.field(shapes.union(shapes.torus(0.6, 0.25), shapes.ball((1.0, 1.0, 1.0), 0.4)), 0.3)

    def recorded(points):
        seen.append(points)
        return field(points)

    sample = CoarseToFine(Grid(resolution, 1.0), 0.3)(ChunkedField(recorded, 4096))
    points = torch.cat(seen)
    assert len(points.unique(dim=0)) == len(points) == sample.evaluations


@pytest.mark.parametrize("level", [-0.5, 0.3, 0.8])
def test_other_levels(shapes, level):
    field = shapes.field(shapes.torus(0.55, 0.3), 0.2)
    _, _, ours, reference = sample_both(field, Grid(48, 1.05), 0.2, level=level)
    assert_same_surface(ours, reference)


def test_shapes_cut_by_the_box(shapes):
    field = shapes.field(shapes.union(shapes.ball((0.9, 0.9, 0.9), 0.6), shapes.slab((0, 0, -1), (2, 2, 0.3))), 0.1)
    _, _, ours, reference = sample_both(field, Grid(40, 1.0), 0.1)
    assert_same_surface(ours, reference)
    assert is_closed(ours[1])


@pytest.mark.parametrize("value", [-1.0, 1.0])
def test_constant_fields(value):
    grid = Grid(30, 1.0)
    sparse, _, ours, reference = sample_both(lambda p: torch.full((len(p),), value), grid)
    np.testing.assert_array_equal(ours[0], reference[0])
    assert (sparse.values == value).all()
    assert (len(ours[0]) > 0) == (value > 0)


def test_tables_serve_many_fields(shapes):
    """One sampler for a sequence: the second field is not disturbed by the first."""
    sampler = CoarseToFine(Grid(36, 1.0), 0.1)
    first, second = (shapes.field(shapes.ball((x, 0.0, 0.0), 0.3), 0.1) for x in (-0.5, 0.5))
    sampler(ChunkedField(first, 4096))
    again = sampler(ChunkedField(second, 4096))
    fresh = CoarseToFine(Grid(36, 1.0), 0.1)(ChunkedField(second, 4096))
    assert torch.equal(again.values, fresh.values) and again.evaluations == fresh.evaluations


@settings(max_examples=10, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10**6), resolution=st.integers(24, 36), step=st.sampled_from([3, 9]))
def test_metaballs(shapes, seed, resolution, step):
    """Not distances, not truncated, some touching the box: the same surface, closed, outward."""
    grid = Grid(resolution, 1.0)
    sparse, _, ours, reference = sample_both(shapes.metaballs(seed), grid, step=step)
    again = CoarseToFine(grid, step=step)(ChunkedField(shapes.metaballs(seed), 333))
    assert_same_surface(ours, reference)
    assert is_closed(ours[1]) and is_edge_manifold(ours[1]) and enclosed_volume(*ours) > 0
    torch.testing.assert_close(again.values, sparse.values, rtol=0, atol=1e-5)


def test_production_resolution(shapes):
    """384 cells, truncation 0.01: several parts, a wall and a hollow of about three cells, a speck of one."""
    parts = (
        shapes.shell((0.2, 0.3, 0.2), 0.5, 0.016),
        shapes.slab((-0.6, -0.2, 0.0), (0.006, 0.6, 0.7)),
        shapes.slab((-0.71, 0.533, -0.611), (0.004, 0.004, 0.004)),
    )

    def field(points):
        value = parts[0](points)
        for part in parts[1:]:
            value = torch.maximum(value, part(points))
        return value.div_(0.01).clamp_(-1, 1)

    grid = Grid(384, 1.05)
    sampler = CoarseToFine(grid, 0.01)
    with torch.inference_mode():
        sparse = sampler(ChunkedField(field, 1 << 16))
        ours = extract_surface(sparse)
        share, finite = sparse.evaluations / grid.count, bool(sparse.values.isfinite().all())
        del sparse
        reference = extract_surface(Dense(grid)(ChunkedField(field, 1 << 16)))
    assert sampler.certified and share <= 0.09 and finite
    assert_same_surface(ours, reference)
    assert is_closed(ours[1]) and is_edge_manifold(ours[1])
    assert enclosed_volume(*ours) > 0
