import numpy as np
import pytest

from shapegen4d_core.errors import InputError
from shapegen4d_core.geometry.distances import FAILED_CHAMFER, chamfer_distance, cloud_distances
from shapegen4d_core.geometry.surface_points import choose_points, sample_surface, unit_box

RNG = np.random.default_rng(0)
FIRST, SECOND = RNG.normal(size=(500, 3)) * 0.1, RNG.normal(size=(450, 3)) * 0.1


def brute_force(first, second):
    gaps = np.linalg.norm(first[:, None] - second[None], axis=-1)
    return gaps.min(1), gaps.min(0)


def test_chamfer_and_f_score_equal_brute_force():
    there, back = brute_force(FIRST, SECOND)
    found = cloud_distances(FIRST, SECOND)
    assert found.chamfer() == pytest.approx(there.mean() + back.mean(), rel=1e-12)
    for threshold in (0.01, 0.02, 0.05):
        precision, recall = (there < threshold).mean(), (back < threshold).mean()
        assert found.f_score(threshold) == pytest.approx(2 * precision * recall / (precision + recall))


def test_reference_values(golden):
    data = golden("metrics")
    found = cloud_distances(data["in.pred_points"], data["in.gt_points"])
    assert found.chamfer() == pytest.approx(float(data["out.chamfer_l1_sum"][0]), rel=1e-5)
    for threshold in (0.01, 0.02, 0.05):
        assert found.f_score(threshold) == pytest.approx(float(data[f"out.fscore_{threshold}"][0]), rel=1e-5)


def test_arguments_may_be_exchanged_and_rows_permuted():
    assert chamfer_distance(FIRST, SECOND) == pytest.approx(chamfer_distance(SECOND, FIRST), rel=1e-12)
    assert chamfer_distance(FIRST, RNG.permutation(FIRST)) == 0
    mixed = cloud_distances(RNG.permutation(FIRST), RNG.permutation(SECOND))
    assert mixed.chamfer() == pytest.approx(chamfer_distance(FIRST, SECOND), rel=1e-12)


def test_nothing_is_a_failure_not_a_perfect_score():
    empty = cloud_distances(FIRST, np.zeros((0, 3)))
    assert empty.chamfer() == FAILED_CHAMFER and empty.f_score(0.05) == 0


def test_one_surface_sampled_twice_reaches_the_published_floor():
    """A cube of side 1.8 at 10 000 points: CD 0.0442, F@.01 0.142, F@.02 0.474, F@.05 0.984 were measured."""
    import trimesh

    cube = trimesh.creation.box((1.8, 1.8, 1.8))
    clouds = [sample_surface(cube.vertices, cube.faces, 10_000, seed) for seed in (1, 2)]
    found = cloud_distances(*clouds)
    assert found.chamfer() == pytest.approx(0.0442, rel=0.02)
    for threshold, value in ((0.01, 0.142), (0.02, 0.474), (0.05, 0.984)):
        assert found.f_score(threshold) == pytest.approx(value, abs=0.02)
    again = cloud_distances(clouds[0], sample_surface(cube.vertices, cube.faces, 10_000, 3))
    assert again.chamfer() == pytest.approx(found.chamfer(), rel=0.02), "resampling changes it within the floor only"


def test_points_are_uniform_by_area_and_repeatable():
    vertices = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [5, 0, 0], [5, 3, 0], [5, 0, 2.0]])
    faces = np.array([[0, 1, 2], [3, 4, 5]])  # areas 0.5 and 3
    chosen = choose_points(vertices, faces, 20_000, 7)
    assert (chosen.face == 1).mean() == pytest.approx(3 / 3.5, abs=0.01)
    points = chosen.on(vertices, faces)
    for face, centre in ((0, (1 / 3, 1 / 3, 0)), (1, (5, 1, 2 / 3))):
        assert np.allclose(points[chosen.face == face].mean(0), centre, atol=0.03)
    assert np.array_equal(points, sample_surface(vertices, faces, 20_000, 7))
    assert not np.array_equal(points, sample_surface(vertices, faces, 20_000, 8))


def test_points_ride_on_a_moving_mesh():
    vertices = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0.0]])
    faces = np.array([[0, 1, 2]])
    chosen = choose_points(vertices, faces, 50, 0)
    turn = np.array([[0, -1, 0], [1, 0, 0], [0, 0, 1.0]])
    assert np.allclose(chosen.on(vertices @ turn.T + 2, faces), chosen.on(vertices, faces) @ turn.T + 2)


def test_a_mesh_without_area_is_refused_or_empty():
    with pytest.raises(InputError, match="no area"):
        choose_points(np.zeros((3, 3)), np.array([[0, 1, 2]]), 5, 0)
    assert sample_surface(np.zeros((0, 3)), np.zeros((0, 3), int), 5, 0).shape == (0, 3)


def test_one_box_for_the_whole_sequence():
    box = unit_box([np.array([[0, 0, 0], [1, 1, 1.0]]), np.zeros((0, 3)), np.array([[4.0, 0, 0]])])
    assert box.half_side == 2 and np.allclose(box.centre, (2, 0.5, 0.5))
    assert np.allclose(box(np.array([[4.0, 0.5, 0.5]])), (1, 0, 0))
    for nothing in ([np.zeros((0, 3))], [np.ones((4, 3))]):
        with pytest.raises(InputError, match="truth"):
            unit_box(nothing)
