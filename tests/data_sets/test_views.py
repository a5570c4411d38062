"""Pictures of curated assets: the sign of the azimuth, the window, texture lookup, light and refusals."""

from dataclasses import replace

import numpy as np
import pytest
import trimesh
from scipy.spatial import cKDTree

from shapegen4d_core.data import shards
from shapegen4d_core.data.curation.asset import curate_mesh
from shapegen4d_core.data.curation.colouring import Paint, to_linear, to_srgb
from shapegen4d_core.data.curation.pictures import View, corner_normals, draw_views, render_view
from shapegen4d_core.data.curation.rejection import Rejected
from shapegen4d_core.data.parts import rotation
from shapegen4d_core.data.procedural import ProceduralSettings, build_clip
from shapegen4d_core.importing import Material

SIZE = 72
FRONT = View(0.0, 0.0, np.array([0.0, 0, 1]), np.ones(3), 0.3)


def front_mask(points, elevation, size, settings):
    """What a camera at azimuth 0 sees of a dense cloud [T,P,3], through the window of its union: bool [T,S,S]."""
    axes = rotation("x", -elevation)
    depth = 1.75 / np.sin(np.radians(settings.fov_degrees / 2)) - points @ axes[:, 2]
    u, v = points @ axes[:, 0] / depth, -(points @ axes[:, 1]) / depth
    side, fine = max(np.ptp(u), np.ptp(v)) / settings.foreground_ratio, 2 * size
    column = ((u - (u.max() + u.min() - side) / 2) / side * fine).astype(int)
    row = ((v - (v.max() + v.min() - side) / 2) / side * fine).astype(int)
    mask = np.zeros((len(points), fine, fine))
    for t in range(len(points)):
        mask[t, row[t], column[t]] = 1
    return mask.reshape(-1, size, 2, size, 2).mean((2, 4)) >= 0.5


def iou(a, b):
    return (a & b).sum() / (a | b).sum()


def test_a_canonical_shard_turned_by_its_azimuth_looks_like_its_pictures(bending, small, tmp_path):
    settings = replace(small, surface_points=25_000, sharp_points=0, views=3, image_size=SIZE, resolution=64)
    arrays, description, _ = curate_mesh(bending, "bending", None, settings)
    shards.write_shard(shards.shard_path(tmp_path, "train", "bending"), arrays, description)
    turned = shards.read_shards(tmp_path, "train", ("surface", "rgba", "elevation"))
    assert np.abs(np.sin(np.radians(arrays["azimuth"]))).max() > 0.3  # the sign matters
    wrong = []
    for view, angle in enumerate(arrays["azimuth"]):
        seen = turned["rgba"][view][..., 3] > 127
        points = turned["surface"][view][..., :3].astype(float)
        elevation = float(turned["elevation"][view])
        assert iou(front_mask(points, elevation, SIZE, settings), seen) > 0.9
        other = arrays["surface"][..., :3].astype(float) @ rotation("y", float(angle)).T
        wrong.append(iou(front_mask(other, elevation, SIZE, settings), seen))
    assert min(wrong) < 0.85


def test_a_view_shard_is_the_canonical_one_as_the_reader_turns_it(bending, small, tmp_path):
    settings = replace(small, sharp_points=0, surface_points=2000, near_points=8, frame="view")
    arrays, description, _ = curate_mesh(bending, "bending-v1", 1, settings)
    assert description["frame"] == "view" and arrays["azimuth"].tolist() == [0] and len(arrays["rgba"]) == 1
    canonical, description, _ = curate_mesh(bending, "bending", None, replace(settings, frame="canonical"))
    assert np.array_equal(canonical["rgba"][1], arrays["rgba"][0])  # the same view of the same asset
    shards.write_shard(shards.shard_path(tmp_path, "train", "bending"), canonical, description)
    turned = shards.read_shards(tmp_path, keys=("surface",))["surface"][1].astype(float)
    for mine, theirs in zip(turned, arrays["surface"].astype(float)):
        gap, _ = cKDTree(theirs[:, :3]).query(mine[:, :3])
        assert gap.mean() < 0.045  # no more than between two samples of one surface


def test_the_reader_turns_procedural_shards_as_their_own_view_frame_does(tmp_path):
    small = ProceduralSettings(
        frames=2, image_size=14, surface_points=3000, near_points=8, uniform_points=8, aligned_points=16
    )
    list(shards.generate(tmp_path, 1, "train", 1, replace(small, frame="canonical")))
    turned = shards.read_shards(tmp_path, keys=("surface",))["surface"][0].astype(float)
    truth = build_clip("quadruped", 0, small)["surface"].astype(float)
    for mine, theirs in zip(turned, truth):
        gap, _ = cKDTree(theirs[:, :3]).query(mine[:, :3])
        assert gap.mean() < 0.03


def test_the_object_fills_its_share_in_one_window_for_all_frames(bending, small):
    settings = replace(small, image_size=60)
    arrays, _, _ = curate_mesh(bending, "bending", None, settings)
    alpha = arrays["rgba"][..., 3] > 0
    for clip in alpha:
        rows, columns = np.flatnonzero(clip.any((0, 2))), np.flatnonzero(clip.any((0, 1)))
        assert (max(np.ptp(rows), np.ptp(columns)) + 1) / 60 == pytest.approx(0.9, abs=0.04)
    assert {0, 255} < set(np.unique(arrays["rgba"][..., 3]))  # antialiased
    still = alpha[0][0] & alpha[0][-1]
    assert still.any() and (alpha[0][0] != alpha[0][-1]).any()


def quad(make, texture, uv, **looks):
    mesh = trimesh.Trimesh([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]], [[0, 1, 2], [0, 2, 3]], process=False)
    looks = {"materials": (Material("m", (1.0, 1, 1, 1), texture),), "uv": np.array(uv, np.float32), **looks}
    return make(mesh, lambda v, u: v, frames=1, **looks)


def draw(mesh, settings, view=FRONT):
    smooth = np.arange(mesh.vertices.shape[1])
    return render_view(mesh, Paint(mesh), smooth, mesh.vertices.astype(float), view, settings)[0]


UV = [[0, 1], [1, 1], [1, 0], [0, 0]]  # v runs down


def test_textures_are_the_right_way_round(make, small):
    texture = np.zeros((2, 2, 3), np.uint8)
    texture[0, 0], texture[0, 1], texture[1, 0], texture[1, 1] = (250, 0, 0), (0, 250, 0), (0, 0, 250), (250, 250, 0)
    picture = draw(quad(make, np.repeat(np.repeat(texture, 16, 0), 16, 1), UV), small).astype(int)
    for row, column, channels in ((12, 12, [0]), (12, 36, [1]), (36, 12, [2]), (36, 36, [0, 1])):
        pixel = picture[row, column]
        assert all((pixel[c] > 120) == (c in channels) for c in range(3)) and pixel[3] == 255


def test_fine_textures_are_averaged_in_light_and_do_not_shimmer(make, small):
    checks = np.indices((512, 512)).sum(0) % 2 * 255
    mesh = quad(make, np.repeat(checks[..., None], 3, 2).astype(np.uint8), UV)
    picture = draw(mesh, small)[8:40, 8:40, 0].astype(float)
    assert picture.std() < 2
    plain = quad(make, np.full((4, 4, 3), round(255 * float(to_srgb(np.array(0.5)))), np.uint8), UV)
    assert picture.mean() == pytest.approx(draw(plain, small)[8:40, 8:40, 0].mean(), abs=2)


def test_base_and_vertex_colours_multiply_in_linear_light(make, small):
    factor = quad(make, None, UV, materials=(Material("m", (0.5, 1.0, 0.25, 1.0)),))
    both = quad(make, None, UV, materials=(Material("m", (0.5, 1.0, 0.25, 1.0)),),
                colours=np.full((4, 3), 128, np.uint8))
    paint = Paint(factor).colours(np.array([0]), np.full((1, 3), 1 / 3), np.ones(2))
    assert np.allclose(to_linear(paint), [[0.5, 1, 0.25]], atol=1e-6)
    paint = Paint(both).colours(np.array([0]), np.full((1, 3), 1 / 3), np.ones(2))
    assert np.allclose(to_linear(paint), np.array([[0.5, 1, 0.25]]) * 128 / 255, atol=1e-6)


def test_light_comes_from_where_it_stands(make, small):
    ball = make(trimesh.creation.icosphere(4, 0.8), lambda v, u: v, frames=1)
    right = draw(ball, small, View(0.0, 10.0, np.array([1.0, 0, 0]), np.ones(3), 0.2)).astype(int)
    left = draw(ball, small, View(0.0, 10.0, np.array([-1.0, 0, 0]), np.ones(3), 0.2)).astype(int)
    assert right[24, 38, 0] > 1.5 * right[24, 10, 0] > 0 and left[24, 10, 0] > 1.5 * left[24, 38, 0] > 0


def test_boxes_keep_their_creases_and_balls_their_roundness():
    box, ball = trimesh.creation.box(), trimesh.creation.icosphere(3)
    corners = corner_normals(np.asarray(box.vertices), np.asarray(box.faces), np.arange(8))
    assert np.allclose(corners, box.face_normals[:, None], atol=1e-6)
    corners = corner_normals(np.asarray(ball.vertices), np.asarray(ball.faces), np.arange(len(ball.vertices)))
    assert np.allclose(corners, ball.vertices[ball.faces], atol=0.02)


def test_empty_and_cropped_pictures_are_refused(make, small):
    line = trimesh.creation.box((0.004, 1.9, 0.004))
    with pytest.raises(Rejected) as caught:
        draw(make(line, lambda v, u: v, frames=1), small)
    assert caught.value.reason == "empty picture"
    ball = make(trimesh.creation.icosphere(3, 0.9), lambda v, u: v, frames=1)
    with pytest.raises(Rejected) as caught:
        draw(ball, replace(small, foreground_ratio=1.0))
    assert caught.value.reason == "cropped picture"


def test_views_are_drawn_in_their_ranges_and_lit_differently(small):
    views = draw_views(replace(small, views=200, elevation_degrees=(5.0, 15.0)), np.random.default_rng(0))
    azimuths = np.array([view.azimuth for view in views])
    assert np.histogram(azimuths, 4, (0, 360))[0].min() > 30
    assert all(5 <= view.elevation <= 15 and np.isclose(np.linalg.norm(view.light), 1) for view in views)
    assert len({view.light.tobytes() for view in views}) == 200
