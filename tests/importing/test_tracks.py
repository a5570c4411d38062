"""Key frames to values: the three modes, rotations, times outside the keys."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation, Slerp

from shapegen4d_core.errors import InputError
from shapegen4d_core.importing import load_animated
from shapegen4d_core.importing.tracks import Track, slerp
from tests.importing.scenes import animate, triangle_file

TIMES = np.float32([1, 2, 4])
VALUES = np.float32([[0], [10], [-10]])


@pytest.mark.parametrize(
    "mode, seconds, expected",
    [
        ("LINEAR", [0, 1, 1.25, 2, 3, 4, 9], [0, 0, 2.5, 10, 0, -10, -10]),
        ("STEP", [0, 1, 1.99, 2, 3.99, 4, 9], [0, 0, 0, 10, 10, -10, -10]),
    ],
)
def test_scalar_keys(mode, seconds, expected):
    found = Track(TIMES, VALUES, mode).at(np.array(seconds, np.float64))
    np.testing.assert_allclose(found[:, 0], expected, atol=1e-6)


def test_step_reaches_a_key_whose_time_was_rounded_up():
    keys = np.array([0, 1 / 30, 2 / 30]).astype(np.float32)
    assert float(keys[1]) > 1 / 30  # as float32 the key lies behind the time asked for
    found = Track(keys, np.float32([[0], [1], [2]]), "STEP").at(np.array([1 / 30]))
    assert found[0, 0] == 1


def test_cubic_spline_is_the_hermite_curve_through_the_keys():
    """The curve of t cubed - 2 t from its values and slopes at 0, 2 and 3 is that polynomial everywhere."""
    times = np.float32([0, 2, 3])
    keys = np.float32([[[3 * t * t - 2], [t**3 - 2 * t], [3 * t * t - 2]] for t in times])
    seconds = np.linspace(0, 3, 13)
    found = Track(times, keys, "CUBICSPLINE").at(seconds)
    np.testing.assert_allclose(found[:, 0], seconds**3 - 2 * seconds, atol=1e-5)


def test_slerp_agrees_with_scipy_and_takes_the_shorter_way():
    random = np.random.default_rng(3)
    start, end = (random.normal(size=(50, 4)) for _ in range(2))
    start, end = (q / np.linalg.norm(q, axis=1, keepdims=True) for q in (start, end))
    for share in (0.0, 0.25, 0.8, 1.0):
        found = Rotation.from_quat(slerp(start, end, np.full((50, 1), share)))
        wanted = Rotation.concatenate(
            [Slerp([0, 1], Rotation.from_quat([a, b]))(share) for a, b in zip(start, end)]
        )
        assert (found.inv() * wanted).magnitude().max() < 1e-6
    still = slerp(start, -start, np.full((50, 1), 0.5))  # the same rotation with the other sign
    np.testing.assert_allclose(np.abs((still * start).sum(axis=1)), 1)


@pytest.mark.parametrize(
    "dtype, options", [("float32", {}), ("int16", {"normalized": True}), ("int8", {"normalized": True})]
)
def test_a_node_turns_by_quaternions_of_every_storage(tmp_path, dtype, options):
    file = triangle_file()
    half = np.sqrt(0.5)
    keys = np.array([[0, 0, 0, 1], [0, 0, half, half]])
    stored = keys if dtype == "float32" else np.round(keys * np.iinfo(dtype).max)
    animate(file, 0, "rotation", [0, 1], stored.astype(dtype), **options)
    file.write(tmp_path / "turn.glb")
    mesh = load_animated(tmp_path / "turn.glb", frames=2)
    slack = 0.01 if dtype == "int8" else 1e-4
    turned = [np.cos(np.pi / 4), np.sin(np.pi / 4), 0]
    np.testing.assert_allclose(mesh.vertices[1, 1], turned, atol=slack)  # half way: 45 degrees about z


@pytest.mark.parametrize("mode", ["LINEAR", "STEP", "CUBICSPLINE"])
def test_each_mode_moves_a_node_in_a_file(tmp_path, mode):
    file = triangle_file()
    values = np.float32([[0, 0, 0], [4, 0, 0]])
    if mode == "CUBICSPLINE":
        flat = np.zeros((2, 3), np.float32)
        values = np.stack([flat, values, flat], axis=1).reshape(6, 3)
    animate(file, 0, "translation", [0, 2], values, mode)
    file.write(tmp_path / "move.glb")
    mesh = load_animated(tmp_path / "move.glb", frames=4)
    share = {"LINEAR": [0, 0.25, 0.5, 0.75], "STEP": [0, 0, 0, 0], "CUBICSPLINE": [0, 0.15625, 0.5, 0.84375]}[mode]
    np.testing.assert_allclose(mesh.vertices[:, 0, 0], np.array(share) * 4, atol=1e-6)


def test_a_rotation_of_length_zero_is_refused(tmp_path):
    file = triangle_file()
    animate(file, 0, "rotation", [0, 1], np.zeros((2, 4), np.float32))
    file.write(tmp_path / "zero.glb")
    with pytest.raises(InputError, match="length 0"):
        load_animated(tmp_path / "zero.glb")
