import numpy as np
import pytest
import trimesh

from shapegen4d_core.evaluation.occupancy import occupancy_iou, voxel_centres, voxelise
from shapegen4d_core.geometry.winding import winding_number


def test_iou_of_known_boxes():
    first, second = np.zeros((2, 4, 4, 4), dtype=bool)
    first[:2], second[1:3] = True, True
    assert occupancy_iou(first, second) == pytest.approx(1 / 3) == occupancy_iou(second, first)
    assert occupancy_iou(first, first) == 1 and occupancy_iou(first, np.zeros_like(first)) == 0
    assert np.isnan(occupancy_iou(np.zeros_like(first), np.zeros_like(first))), "no union: undefined"


def test_reference_iou_of_a_sphere_and_a_torus(golden):
    data = golden("metrics")
    solids = [voxelise(data[f"iou.sphere_torus.{key}_verts"], data[f"iou.sphere_torus.{key}_faces"]) for key in "ab"]
    found = occupancy_iou(*solids)
    assert found == pytest.approx(float(data["iou.sphere_torus.grid128_cell_centres"][0]), abs=1e-6)
    assert found == pytest.approx(float(data["iou.sphere_torus.exact"][0]), abs=0.01)


def test_voxels_equal_brute_force_at_500_centres(creature):
    vertices, faces = creature
    resolution = 24
    solid = voxelise(vertices, faces, resolution)
    rng = np.random.default_rng(0)
    index = rng.integers(0, resolution, (500, 3))
    index[:250] = rng.permutation(np.argwhere(solid))[:250]
    winding = winding_number(voxel_centres(resolution)[index], vertices, faces)
    assert np.array_equal(solid[tuple(index.T)], winding > 0.5)


def test_a_shifted_sphere_loses_what_was_measured():
    """Radius 0.8 shifted by one voxel of 1/64: 0.971, by four: 0.889."""
    sphere = trimesh.creation.icosphere(4, 0.8)
    solid = voxelise(sphere.vertices, sphere.faces)
    for voxels, expected in ((1, 0.971), (4, 0.889)):
        moved = voxelise(sphere.vertices + [voxels / 64, 0, 0], sphere.faces)
        assert occupancy_iou(solid, moved) == pytest.approx(expected, abs=0.002)


def test_a_small_hole_changes_the_iou_by_less_than_one_percent():
    sphere = trimesh.creation.icosphere(3, 0.8)
    pierced = sphere.faces[sphere.triangles_center[:, 1] < 0.74]
    assert 0 < len(sphere.faces) - len(pierced)
    other = voxelise(sphere.vertices + [0.1, 0, 0], sphere.faces, 64)
    whole = occupancy_iou(voxelise(sphere.vertices, sphere.faces, 64), other)
    assert occupancy_iou(voxelise(sphere.vertices, pierced, 64), other) == pytest.approx(whole, rel=0.01)
