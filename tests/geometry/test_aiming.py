import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from shapegen4d_core.errors import InputError
from shapegen4d_core.geometry.aiming import aim_camera, project

K = np.array([[300.0, 0, 130], [0, 280, 90], [0, 0, 1]])
POINTS = np.random.default_rng(0).uniform(-1, 1, (400, 3)) * [1, 0.5, 0.4]
ROTATION = Rotation.from_euler("xyz", [20, 110, -5], degrees=True).as_matrix()
TRANSLATION = np.array([0.2, -0.1, 4.0])


def picture(rotation=ROTATION, translation=TRANSLATION):
    return project(POINTS @ rotation.T + translation, K)


def disturbed(pan, tilt, distance):
    """The true camera panned and tilted (degrees) and brought to ``distance`` times its way to the points.

    The middle of the points is a median per axis, so that it and hence the line to it turn only nearly with the camera.
    """
    turn = Rotation.from_rotvec(np.radians([tilt, pan, 0])).as_matrix()
    return turn @ ROTATION, turn @ (TRANSLATION + (distance - 1) * np.median(POINTS @ ROTATION.T + TRANSLATION, axis=0))


@pytest.mark.parametrize("pan, tilt, distance", [(12, -8, 1.0), (0, 0, 1.5), (-9, 5, 0.7)])
def test_pan_tilt_and_distance_are_undone(pan, tilt, distance):
    start, aimed = aim_camera(POINTS, picture(), K, *disturbed(pan, tilt, distance))
    assert start.median_pixels > 5 and aimed.median_pixels < 0.2
    np.testing.assert_allclose(aimed.rotation, ROTATION, atol=2e-3)
    np.testing.assert_allclose(aimed.translation, TRANSLATION, atol=0.02)


def test_wrong_pairs_and_stray_points_change_little():
    rng = np.random.default_rng(1)
    pixels, points = picture(), POINTS.copy()
    pixels[:60] += rng.normal(size=(60, 2)) * 80
    points[60:100] *= 30
    _, aimed = aim_camera(points, pixels, K, *disturbed(10, 5, 1.2))
    np.testing.assert_allclose(aimed.rotation, ROTATION, atol=3e-3)
    np.testing.assert_allclose(aimed.translation, TRANSLATION, atol=0.02)


def test_the_side_the_thing_is_seen_from_stays():
    """However wrong the start's side is, aiming leaves the line from the thing to the camera as it was."""
    wrong = Rotation.from_euler("y", 30, degrees=True).as_matrix() @ ROTATION
    shift = TRANSLATION + [0.5, 0.2, 0]
    start, aimed = aim_camera(POINTS, picture(), K, wrong, shift)
    assert aimed.median_pixels < start.median_pixels
    middle = wrong.T @ np.median(POINTS @ wrong.T + shift, axis=0) - wrong.T @ shift  # of the thing, in its own axes
    before, after = (middle + turn.T @ move for turn, move in ((wrong, shift), (aimed.rotation, aimed.translation)))
    cosine = before @ after / np.linalg.norm(before) / np.linalg.norm(after)
    assert np.degrees(np.arccos(min(1.0, cosine))) < 0.01


def test_weights_choose_between_two_pictures():
    half = np.arange(len(POINTS)) % 2 == 0
    other = picture(*disturbed(6, 0, 1.0))
    pixels = np.where(half[:, None], picture(), other)
    _, aimed = aim_camera(POINTS, pixels, K, *disturbed(3, 0, 1.0), weights=np.where(half, 1.0, 0.05))
    np.testing.assert_allclose(aimed.rotation, ROTATION, atol=5e-3)


def test_hopeless_pairs_leave_the_start_and_too_few_are_refused():
    behind = ROTATION, TRANSLATION * [1, 1, -1]
    start, aimed = aim_camera(POINTS, picture(), K, *behind)
    assert aimed is start
    with pytest.raises(InputError, match="four points"):
        aim_camera(POINTS[:3], picture()[:3], K, ROTATION, TRANSLATION)
