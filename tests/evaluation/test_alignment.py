import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from shapegen4d_core.evaluation.alignment import AlignmentSettings, align_sequence
from shapegen4d_core.evaluation.search import DistanceField, SearchSettings, search_similarity
from shapegen4d_core.geometry.distances import chamfer_distance
from shapegen4d_core.geometry.icp import CloudPair, similarity_icp, translation_icp
from shapegen4d_core.geometry.similarity import Similarity, azimuth_rotation, fit_similarity
from shapegen4d_core.geometry.surface_points import sample_surface

SMALL = AlignmentSettings(SearchSettings(azimuths=8, scales=(0.9, 1.0, 1.1), points=400), points=1000, iterations=20)


def degrees_between(first, second):
    return np.degrees(np.arccos(np.clip((np.trace(first.T @ second) - 1) / 2, -1, 1)))


@pytest.mark.parametrize(("case", "scaled"), [("rigid", False), ("similarity", True)])
def test_fits_equal_the_reference(golden, case, scaled):
    data = golden("alignment")
    for item in range(len(data["in.X"])):
        found = fit_similarity(data["in.X"][item].astype(float), data["in.Y"][item].astype(float), scaled)
        assert np.allclose(found.rotation.T, data[f"out.{case}.R"][item], atol=1e-4)
        assert np.allclose(found.translation, data[f"out.{case}.T"][item], atol=1e-4)
        assert found.scale == pytest.approx(float(data[f"out.{case}.s"][item]), abs=1e-4)


def test_a_mirrored_cloud_gets_a_rotation_and_no_reflection(golden):
    data = golden("alignment")
    for item in range(len(data["in.X"])):
        found = fit_similarity(data["in.X"][item].astype(float), data["in.Y_mirrored"][item].astype(float))
        assert np.linalg.det(found.rotation) == pytest.approx(1)
        assert np.allclose(found.rotation.T, data["out.mirrored_reflection_off.R"][item], atol=1e-4)


def test_a_similarity_and_its_inverse_undo_each_other():
    turn = Rotation.from_euler("xyz", [20, -50, 70], degrees=True).as_matrix()
    transform, points = Similarity(1.7, turn, np.array([1.0, 2, 3])), np.random.default_rng(0).normal(size=(9, 3))
    assert np.allclose(transform.inverse()(transform(points)), points)
    assert np.allclose(azimuth_rotation(90) @ [0, 0, 1], [1, 0, 0])


def test_icp_finds_a_known_rotation_about_three_axes(creature):
    """Composing rotations on the wrong side passes for one axis only."""
    fixed, moving = (sample_surface(*creature, 1500, seed) for seed in (1, 2))
    turn = Rotation.from_euler("xyz", [9, -12, 7], degrees=True).as_matrix()
    truth = Similarity(1.1, turn, np.array([0.05, -0.04, 0.03]))
    found = similarity_icp(CloudPair(truth.inverse()(moving), fixed), Similarity(), 50)
    assert degrees_between(found.rotation, turn) < 1.5
    assert found.scale == pytest.approx(1.1, rel=0.01) and np.allclose(found.translation, truth.translation, atol=0.02)


def test_icp_equals_the_reference_within_its_noise(golden):
    data = golden("alignment")
    moving, fixed = data["in.icp_P"].astype(float), data["in.icp_Q"].astype(float)
    reference = Similarity(
        float(data["out.icp_similarity.s"]), data["out.icp_similarity.R"].T.astype(float), data["out.icp_similarity.T"]
    )
    pair = CloudPair(moving, fixed)
    found = similarity_icp(pair, Similarity(), 100)
    assert pair.chamfer(found) <= 1.02 * pair.chamfer(reference)
    assert degrees_between(found.rotation, reference.rotation) < 6 and found.scale == pytest.approx(1, abs=0.2)


def test_the_distance_field_equals_a_tree_within_its_cells(creature):
    points = sample_surface(*creature, 800, 0)
    field, asked = DistanceField(points, 0.2), np.random.default_rng(0).uniform(-1.5, 1.5, (500, 3))
    exact = np.minimum(np.linalg.norm(asked[:, None] - points[None], axis=-1).min(1), 0.2)
    assert np.abs(field(asked) - exact).max() <= np.linalg.norm(field.step) / 2 + 1e-6
    assert field(np.array([[9.0, 9, 9]])) == pytest.approx(0.2)


def test_the_best_start_of_the_grid_is_the_nearest_one(creature):
    fixed, moving = (sample_surface(*creature, 500, seed) for seed in (1, 2))
    truth = Similarity(2.0, azimuth_rotation(93.0), np.array([3.0, -1.0, 2.0]))
    starts = search_similarity(truth.inverse()(moving), fixed, SearchSettings(points=500, kept=3))
    assert len(starts) == 3 and degrees_between(starts[0].rotation, truth.rotation) <= 7.6
    assert starts[0].scale == pytest.approx(2.0, rel=0.11)
    assert np.abs(starts[0](truth.inverse()(moving)) - moving).mean() < 0.1


def test_the_reference_sequence_is_aligned(golden):
    data = golden("sequence_alignment")
    rng = np.random.default_rng(0)
    prediction, truth = (
        [rng.permutation(frame.astype(float)) for frame in data[key]] for key in ("in.pred", "in.gt")
    )
    settings = AlignmentSettings(SearchSettings(points=400), points=1250)
    found = align_sequence(prediction, truth, settings)
    turn = found.similarity.rotation @ data["truth.rotation"].T
    assert abs(np.degrees(np.arctan2(turn[0, 2], turn[2, 2]))) < 1
    assert found.similarity.scale == pytest.approx(float(data["truth.scale"][0]), rel=0.01)
    for frame in range(len(prediction)):
        wanted = data["truth.translation"] + data["truth.frame_offsets"][frame]
        assert np.allclose(found.of_frame(frame).translation, wanted, atol=0.01)
        distance = chamfer_distance(found.of_frame(frame)(prediction[frame]), truth[frame])
        assert distance <= 1.15 * data["truth.floor_chamfer_l1_sum"][frame]


def test_per_frame_translation_removes_root_motion_only(creature):
    """Drifting frames come home; a frame that turned or grew keeps its error."""
    clouds = [sample_surface(*creature, 1000, seed) for seed in range(6)]
    truth, still = clouds[:3], clouds[3:]
    drift = [np.zeros(3), np.array([0.4, 0.1, -0.3]), np.array([0.9, 0.0, -0.7])]
    floor = chamfer_distance(truth[0], still[0])
    change = (lambda x: x, lambda x: x @ azimuth_rotation(40).T, lambda x: 1.3 * x)
    moved = [cloud + shift for cloud, shift in zip(still, drift)]
    changed = [act(cloud) + shift for act, cloud, shift in zip(change, still, drift)]
    found, other = align_sequence(moved, truth, SMALL), align_sequence(changed, truth, SMALL)
    home = [chamfer_distance(found.of_frame(t)(moved[t]), truth[t]) for t in range(3)]
    kept = [chamfer_distance(other.of_frame(t)(changed[t]), truth[t]) for t in range(3)]
    assert max(home) < 1.1 * floor
    assert kept[0] < 1.1 * floor and kept[1] > 3 * floor and kept[2] > 2 * floor


def test_empty_frames_are_left_in_place(creature):
    cloud, nothing = sample_surface(*creature, 300, 0), np.zeros((0, 3))
    assert np.array_equal(align_sequence([nothing, cloud], [cloud, cloud], SMALL).offsets, np.zeros((2, 3)))
    settings = AlignmentSettings(SearchSettings(azimuths=2, scales=(1.0,), points=300), points=300)
    found = align_sequence([cloud, nothing], [cloud, cloud], settings)
    assert np.allclose(found.of_frame(1).translation, found.of_frame(0).translation, atol=1e-3)


def test_translation_icp_starts_from_the_best_guess(creature):
    cloud, other = (sample_surface(*creature, 800, seed) for seed in (0, 1))
    shift = np.array([0.7, 0.0, -0.6])
    found = translation_icp(cloud - shift, other, [np.zeros(3), shift + 0.05])
    assert np.allclose(found, shift, atol=0.02)
