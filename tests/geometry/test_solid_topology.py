"""Parts, loops and hollows of known solids, and deafness to what is too small to count."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh

from shapegen4d_core.geometry.solid_topology import SolidTopology, inside_grid, solid_topology, without_small

AXIS = (np.arange(48) + 0.5) / 24 - 1
GRID = np.stack(np.meshgrid(AXIS, AXIS, AXIS, indexing="ij"), axis=-1)


def ball(centre, radius):
    return np.linalg.norm(GRID - centre, axis=-1) < radius


def ring(centre, radius, tube):
    x, y, z = np.moveaxis(GRID - centre, -1, 0)
    return np.hypot(np.hypot(x, y) - radius, z) < tube


@pytest.mark.parametrize(
    ("solid", "expected"),
    [
        (ball((0, 0, 0), 0.5), (1, 0, 0)),
        (ball((-0.5, 0, 0), 0.3) | ball((0.5, 0, 0), 0.3), (2, 0, 0)),
        (ring((0, 0, 0), 0.6, 0.2), (1, 1, 0)),
        (ball((0, 0, 0), 0.8) & ~ball((0, 0, 0), 0.4), (1, 0, 1)),
        (ring((-0.25, 0, 0), 0.5, 0.1) | ring((0.25, 0, 0), 0.5, 0.1), (1, 3, 0)),
        (np.zeros((8, 8, 8), bool), (0, 0, 0)),
        (np.ones((8, 8, 8), bool), (1, 0, 0)),
    ],
    ids=["ball", "two balls", "ring", "shell", "two rings crossing", "nothing", "everything"],
)
def test_known_solids(solid, expected):
    assert solid_topology(solid) == SolidTopology(*expected)
    assert solid_topology(without_small(solid)) == SolidTopology(*expected)


def test_specks_strands_and_slits_do_not_count():
    solid = ball((-0.5, 0, 0), 0.35) | ball((0.5, 0, 0), 0.35)
    noisy = solid.copy()
    noisy[:, 24, 24] = True  # a strand of one cell between the balls
    noisy[2, 2, 2] = True  # a speck
    noisy[12, :, 24] = False  # a tunnel of one cell through the left ball
    assert solid_topology(noisy) != solid_topology(solid)
    assert solid_topology(without_small(noisy)) == solid_topology(solid)


def test_a_mesh_is_sampled_at_cell_centres():
    mesh = trimesh.creation.torus(0.6, 0.25)
    inside = inside_grid(np.asarray(mesh.vertices), np.asarray(mesh.faces), 40, 1.0)
    assert solid_topology(inside) == SolidTopology(1, 1, 0)
    assert inside.sum() * (2 / 40) ** 3 == pytest.approx(mesh.volume, rel=0.05)
