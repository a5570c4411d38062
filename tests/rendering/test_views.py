"""The OpenCV form of a camera puts points where its own projection matrix puts them."""

from __future__ import annotations

import numpy as np
import pytest

from shapegen4d_core.errors import InputError
from shapegen4d_core.rendering.views import opencv_camera, sized_camera
from shapegen4d_core.sequence import Camera


@pytest.mark.parametrize("yaw, pitch", [(0, 0), (35, 20), (-120, -60), (200, 90)])
def test_pixels_agree_with_the_projection_matrix(yaw, pitch):
    camera = Camera(yaw, pitch, 4.0, (0.1, -0.2, 0.3), 40, 96, 64)
    points = np.random.default_rng(0).uniform(-1, 1, (50, 3))
    intrinsics, rotation, translation = (tensor.numpy() for tensor in opencv_camera(camera))
    in_view = points @ rotation.T + translation
    pixels = in_view @ intrinsics.T
    pixels = pixels[:, :2] / pixels[:, 2:]
    clip = np.c_[points, np.ones(50)] @ (camera.projection_matrix(0.1, 10) @ camera.view_matrix()).T
    expected = (clip[:, :2] / clip[:, 3:] * [1, -1] + 1) / 2 * [96, 64]
    np.testing.assert_allclose(pixels, expected, atol=1e-9)
    np.testing.assert_allclose(in_view[:, 2], clip[:, 3], atol=1e-9)
    np.testing.assert_allclose(np.linalg.det(rotation), 1, atol=1e-12)


def test_size_overrides_the_camera_and_keeps_the_field_of_view():
    camera = Camera(0, 0, 4.0, (0, 0, 0), 40, 96, 64)
    assert sized_camera(camera, None) is camera
    square, wide = sized_camera(camera, 32), sized_camera(camera, (32, 80))
    assert (square.height, square.width, wide.height, wide.width) == (32, 32, 32, 80)
    assert square.focal_pixels == wide.focal_pixels == camera.focal_pixels / 2
    with pytest.raises(InputError, match="at least 1 x 1"):
        sized_camera(camera, 0)
