"""Rendered pictures: coverage, colours of known normals, light, back faces, empty frames."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import torch
import trimesh

from shapegen4d_core.errors import Cancelled, InputError
from shapegen4d_core.rendering import Surface, opencv_camera, render_sequence, render_surface
from shapegen4d_core.sequence import Camera, MeshSequence

CAMERA = Camera(0, 0, 4.0, (0, 0, 0), 35, 48, 48)


def ball(radius: float = 0.8, offset: tuple = (0, 0, 0)) -> tuple[np.ndarray, np.ndarray]:
    """A fine sphere."""
    mesh = trimesh.creation.icosphere(4, radius=radius)
    return (mesh.vertices + offset).astype(np.float32), mesh.faces.astype(np.int32)


def sequence(*frames: tuple[np.ndarray, np.ndarray], **fields) -> MeshSequence:
    """Frames of vertices and faces at 8 frames per second."""
    return MeshSequence(tuple(f[0] for f in frames), tuple(f[1] for f in frames), 8.0, **fields)


def test_coverage_is_the_area_of_the_disc():
    picture = render_sequence(sequence(ball()), CAMERA, size=96)[0]
    tangent = 0.8 / (4**2 - 0.8**2) ** 0.5  # slope of the rays that touch the sphere
    radius = tangent * 96 / (2 * np.tan(np.radians(35 / 2)))
    assert float(picture[..., 3].sum()) == pytest.approx(np.pi * radius**2, rel=0.005)
    edge = (picture[..., 3] > 0) & (picture[..., 3] < 1)
    assert edge.any() and set(picture[..., 3].unique().tolist()) <= {0, 0.25, 0.5, 0.75, 1}
    assert bool((picture[picture[..., 3] == 0] == 0).all())


@pytest.mark.parametrize("camera", [CAMERA, Camera(65, -30, 4.0, (0, 0, 0), 35, 48, 48)])
def test_normal_colours_are_those_of_the_camera_axes(camera):
    picture = render_sequence(sequence(ball()), camera, style="normal")[0].numpy()
    inside = picture[..., 3] == 1
    rows, columns = np.nonzero(inside)
    focal = camera.focal_pixels
    rays = np.stack([(columns + 0.5 - 24) / focal, -(rows + 0.5 - 24) / focal, -np.ones(len(rows))], axis=1)
    rays /= np.linalg.norm(rays, axis=1, keepdims=True)
    along = rays[:, 2] * -4.0  # the ball's centre lies at (0, 0, -4) from the camera
    reach = along - np.sqrt(np.maximum(along**2 - (16 - 0.64), 0))
    normals = (rays * reach[:, None] - [0, 0, -4.0]) / 0.8
    facing = normals[:, 2] > 0.4
    np.testing.assert_allclose(picture[inside][facing, :3], normals[facing] * 0.5 + 0.5, atol=0.02)


def test_light_comes_from_the_upper_left_and_nothing_is_black_or_coloured():
    picture = render_sequence(sequence(ball()), CAMERA)[0]
    upper_left, lower_right = picture[18, 18, :3], picture[30, 30, :3]
    assert float(upper_left.mean()) > float(lower_right.mean()) + 0.2
    drawn = picture[picture[..., 3] > 0][:, :3]
    assert 0.15 < float(drawn.min()) and float(drawn.max()) <= 1
    assert torch.equal(drawn[:, 0], drawn[:, 1]) and torch.equal(drawn[:, 1], drawn[:, 2])


def test_yaw_brings_the_side_into_view():
    side = sequence(ball(0.2, (1.0, 0, 0)))
    front = render_sequence(side, CAMERA)[0][..., 3]
    turned = render_sequence(side, Camera(90, 0, 4.0, (0, 0, 0), 35, 48, 48))[0][..., 3]
    columns = torch.arange(48) + 0.5
    assert float((front.sum(0) * columns).sum() / front.sum()) > 30
    assert float((turned.sum(0) * columns).sum() / turned.sum()) == pytest.approx(24, abs=0.1)
    assert float(turned.sum()) > 1.5 * float(front.sum())  # it came nearer


def test_a_sheet_looks_the_same_from_both_windings():
    corners = np.float32([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]])
    faces = np.int32([[0, 1, 2], [0, 2, 3]])
    pictures = render_sequence(sequence((corners, faces), (corners, faces[:, ::-1].copy())), CAMERA)
    torch.testing.assert_close(pictures[0], pictures[1])


def test_given_normals_decide_the_shading():
    vertices, faces = ball()
    up = (np.tile(np.float32([0, 1, 0]), (len(vertices), 1)),)
    picture = render_sequence(sequence((vertices, faces), normals=up), CAMERA, style="normal")[0]
    torch.testing.assert_close(picture[24, 24], torch.tensor([0.5, 1.0, 0.5, 1.0]), atol=1e-5, rtol=0)


def test_empty_frames_are_transparent_and_progress_counts_frames():
    empty = (np.zeros((0, 3), np.float32), np.zeros((0, 3), np.int32))
    steps = []
    pictures = render_sequence(
        sequence(ball(), empty),
        CAMERA,
        size=(20, 30),
        progress=lambda step, total, preview=None: steps.append((step, total)),
    )
    assert pictures.shape == (2, 20, 30, 4) and pictures.dtype == torch.float32
    assert float(pictures[0].sum()) > 0 and float(pictures[1].abs().max()) == 0
    assert steps == [(1, 2), (2, 2)]


def test_cancel_and_bad_style():
    def check() -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        render_sequence(sequence(ball()), CAMERA, check=check)
    with pytest.raises(InputError, match="accepted are shaded, normal, silhouette"):
        render_sequence(sequence(ball()), CAMERA, style="toon")


def test_more_samples_come_closer_to_the_true_edge():
    vertices, faces = (torch.from_numpy(array) for array in ball())
    normals = torch.nn.functional.normalize(vertices, dim=1)

    def coverage(count: int) -> torch.Tensor:
        surface = Surface(vertices, faces, normals)
        return render_surface(surface, *opencv_camera(CAMERA), (48, 48), supersampling=count)[..., 3]

    errors = [float((coverage(count) - coverage(8)).abs().mean()) for count in (1, 2, 4)]
    assert errors[0] > 1.5 * errors[1] > 2 * errors[2]


@pytest.mark.parametrize("style", ["shaded", "textured"])
def test_a_picture_drawn_in_bands_is_the_same_and_can_be_cancelled_between_them(monkeypatch, style):
    vertices, faces = ball()
    uv = torch.from_numpy(vertices[:, :2] * [0.6, 0.8] + [0.5, 0.0])  # outside 0..1 in the lower half only
    uv, texture = uv.float(), torch.rand(2, 2, 4)
    surface = Surface(torch.from_numpy(vertices), torch.from_numpy(faces), torch.from_numpy(vertices), uv, texture)
    given = (surface, *opencv_camera(CAMERA), (48, 48), style, 2)
    whole, calls = render_surface(*given), []
    monkeypatch.setattr(sys.modules[render_surface.__module__], "_SAMPLES_AT_ONCE", 1500)
    banded = render_surface(*given, check=lambda: calls.append(1))
    torch.testing.assert_close(banded, whole, atol=1e-5, rtol=0)
    assert len(calls) == 7  # 14 rows of samples each

    def check() -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        render_surface(*given, check=check)


def test_a_large_picture_can_be_cancelled_many_times_a_frame():
    surface, calls = Surface(*(torch.from_numpy(array) for array in ball())), []
    camera = Camera(0, 0, 4.0, (0, 0, 0), 35, 512, 512)
    render_surface(surface, *opencv_camera(camera), (512, 512), "silhouette", 2, check=lambda: calls.append(1))
    assert len(calls) >= 4  # a million samples take seconds on a busy CPU


def test_missing_normals_are_named():
    vertices, faces = (torch.from_numpy(array) for array in ball())
    given = (Surface(vertices, faces), *opencv_camera(CAMERA), (48, 48))
    assert float(render_surface(*given, "silhouette").sum()) > 0
    with pytest.raises(InputError, match="no normals are given"):
        render_surface(*given, "shaded")
