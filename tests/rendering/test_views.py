"""The OpenCV form of a camera puts points where its own projection matrix puts them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
import trimesh

from shapegen4d_core.errors import InputError
from shapegen4d_core.rendering import rasterise
from shapegen4d_core.rendering.views import clip_camera, framing_camera, opencv_camera, sized_camera
from shapegen4d_core.sequence import Camera, Clip, MeshSequence
from shapegen4d_core.video.crop import Square, cut


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


def plate_clip(crop, size, source=(64, 96)) -> Clip:
    """A clip of one empty frame of ``size`` x ``size`` pixels."""
    return Clip(torch.zeros(1, size, size, 4), 8.0, crop=crop, source_size=source)


def silhouette(intrinsics, rotation, translation, size) -> np.ndarray:
    """Coverage [H,W] of a tetrahedron off the middle, 8 x 8 samples per pixel."""
    vertices = torch.tensor([[0.2, 0.1, 0.0], [0.9, 0.2, 0.1], [0.5, 0.8, -0.2], [0.6, 0.3, 0.7]])
    faces = torch.tensor([[0, 1, 2], [0, 1, 3], [0, 2, 3], [1, 2, 3]])
    fine = intrinsics * torch.tensor([8, 8, 1])[:, None]
    face_id = rasterise(vertices, faces, fine, rotation, translation, (size[0] * 8, size[1] * 8)).face_id
    return (face_id >= 0).float().view(size[0], 8, size[1], 8).mean(dim=(1, 3)).numpy()


def test_a_clip_shows_the_window_of_the_plate_it_was_cut_from():
    camera = Camera(20, 10, 4.0, (0, 0, 0), 40, 96, 64)
    plate = silhouette(*opencv_camera(camera), (64, 96))
    square, size = Square(41.5, 9.25, 36.0), 72
    expected = cut(np.zeros((64, 96, 3), np.float32), plate, square, size)[..., 3]
    clip = plate_clip((square.x0, square.y0, square.side), size)
    seen = silhouette(*clip_camera(camera, clip), (size, size))
    assert seen.sum() > 400 and np.abs(seen - expected).mean() < 0.01
    shifted = plate_clip((square.x0 + 1, square.y0, square.side), size)
    assert np.abs(silhouette(*clip_camera(camera, shifted), (size, size)) - expected).mean() > 0.02


def test_only_the_shape_of_the_cameras_picture_matters_and_an_uncropped_clip_is_the_plate():
    small, large = (Camera(20, 10, 4.0, (0, 0, 0), 40, 48 * k, 32 * k) for k in (1, 4))
    clip = plate_clip((3.0, -5.0, 50.0), 24)
    for a, b in zip(clip_camera(small, clip), clip_camera(large, clip)):
        torch.testing.assert_close(a, b, rtol=1e-12, atol=0)
    square = Camera(20, 10, 4.0, (0, 0, 0), 40, 24, 24)
    for a, b in zip(clip_camera(square, plate_clip(None, 24, None)), opencv_camera(square)):
        torch.testing.assert_close(a, b, rtol=1e-12, atol=0)


def test_a_camera_of_another_shape_and_a_crop_of_nothing_are_refused():
    camera = Camera(20, 10, 4.0, (0, 0, 0), 40, 64, 64)
    with pytest.raises(InputError, match="64 x 64 pixels and the clip's source 96 x 64"):
        clip_camera(camera, plate_clip((0.0, 0.0, 30.0), 24))
    with pytest.raises(InputError, match="no source_size"):
        clip_camera(camera, plate_clip((0.0, 0.0, 30.0), 24, None))


def published_cameras(golden) -> list[tuple[Camera, np.ndarray, np.ndarray]]:
    """The golden cameras as ours, with their R [3,3] and t [3] for our axes.

    Their world has z up and their eye lies at ``r`` from the origin, whatever they look at.
    """
    data = golden("cameras")
    to_y_up = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])
    height, width = (int(value) for value in data["in.size_hw"])
    found = []
    for i in range(len(data["in.r"])):
        yaw, pitch = data["in.yaw"][i], data["in.pitch"][i]
        eye = data["in.r"][i] * np.array([np.sin(yaw) * np.cos(pitch), np.cos(yaw) * np.cos(pitch), np.sin(pitch)])
        back, look_at = to_y_up @ (eye - data["in.lookat"][i]), to_y_up @ data["in.lookat"][i]
        radius = float(np.linalg.norm(back))
        angles = np.degrees([np.arctan2(back[0], back[2]), np.arcsin(back[1] / radius)])
        camera = Camera(*map(float, angles), radius, tuple(look_at), 40.0, width, height)
        found.append((camera, data["out.R"][i] @ to_y_up.T, data["out.t"][i]))
    return found


def test_published_cameras(golden):
    cameras = published_cameras(golden)
    assert len(cameras) == 12
    for camera, rotation, translation in cameras:
        _, ours, shift = opencv_camera(camera)
        np.testing.assert_allclose(ours.numpy(), rotation, atol=1e-6)
        np.testing.assert_allclose(shift.numpy(), translation, atol=1e-6)


def test_published_pixels(golden):
    data = golden("cameras")
    points = data["in.points"] @ np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]]).T
    for i, (camera, _, _) in enumerate(published_cameras(golden)[:4]):
        _, rotation, translation = (tensor.numpy() for tensor in opencv_camera(camera))
        pixels = (points @ rotation.T + translation) @ data["in.K_pixels"].T
        np.testing.assert_allclose(pixels[:, :2] / pixels[:, 2:], data["out.pixels_p3d"][i], atol=1e-3)


def test_published_projection(golden):
    ours = Camera(0, 0, 1.0, (0, 0, 0), 40, 64, 64).projection_matrix(1, 100)
    turned = np.diag([1.0, -1, 1, 1]) @ ours @ np.diag([1.0, -1, -1, 1])  # theirs has y down before and after
    theirs = golden("cameras")["out.projection_near1_far100"]
    np.testing.assert_allclose(turned[[0, 1, 3]], theirs[[0, 1, 3]], atol=1e-6)  # theirs has depth 0 to 1, ours -1 to 1


def moving_balls() -> MeshSequence:
    """Two frames of a small ball, far to the right and then high up."""
    ball = trimesh.creation.icosphere(2, radius=0.2)
    places = np.float32([[0.8, 0.1, 0.3], [-0.1, 0.9, -0.5]])
    vertices = tuple(np.float32(ball.vertices) + place for place in places)
    return MeshSequence(vertices, (np.int32(ball.faces),) * 2, 8.0)


@pytest.mark.parametrize("size", [64, (40, 90), (90, 40)])
@pytest.mark.parametrize("pitch", [0, 40, -80])
def test_a_framing_camera_sees_everything_and_no_more_than_it_must(size, pitch):
    sequence = moving_balls()
    points = torch.from_numpy(np.concatenate(sequence.vertices)).double()
    near = framing_camera(sequence, size, 30.0, pitch, margin=1.0)
    around = framing_camera(sequence, size, 30.0, pitch, margin=1.0, all_around=True)
    assert around.radius > near.radius
    for camera in (near, *(replace(around, yaw_degrees=30.0 + 15 * k) for k in range(24))):
        intrinsics, rotation, translation = opencv_camera(camera)
        pixels = (points @ rotation.T + translation) @ intrinsics.T
        pixels = pixels[:, :2] / pixels[:, 2:]
        room = torch.minimum(pixels, torch.tensor([camera.width, camera.height]) - pixels).min()
        assert room > -1e-6
        assert camera is not near or room < 1e-6
