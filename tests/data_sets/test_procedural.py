from dataclasses import replace

import numpy as np
import pytest

from shapegen4d_core.data import fields
from shapegen4d_core.data.families import FAMILIES, HELD_OUT, TRAINING
from shapegen4d_core.data.parts import WARP_SIZE
from shapegen4d_core.data.pictures import camera_rays, picture_window, render_clip
from shapegen4d_core.data.procedural import (
    ProceduralSettings,
    build_asset,
    build_clip,
    surface_in_object,
)
from shapegen4d_core.errors import InputError

SMALL = ProceduralSettings(
    frames=3, image_size=42, surface_points=256, near_points=128, uniform_points=128, aligned_points=32
)


@pytest.fixture(scope="module")
def clips():
    return {family: build_clip(family, 5, SMALL) for family in FAMILIES}


@pytest.mark.parametrize("family", FAMILIES)
def test_surface_points_lie_on_the_zero_set_with_outward_normals(family, clips):
    asset = build_asset(family, 5, SMALL)
    for t in range(SMALL.frames):
        points, normals = np.split(clips[family]["surface"][t].astype(float), 2, axis=1)
        off = np.abs(asset.field(t, points))
        assert np.median(off) < 2e-3 and np.quantile(off, 0.97) < 0.02
        outside, inside = asset.field(t, points + 0.02 * normals), asset.field(t, points - 0.02 * normals)
        assert np.mean(outside < 0) > 0.97 and np.mean(inside > 0) > 0.97
        assert np.allclose(np.linalg.norm(normals, axis=1), 1, atol=5e-3)


@pytest.mark.parametrize("family", FAMILIES)
def test_field_samples_are_truncated_and_first_order(family, clips):
    asset = build_asset(family, 5, SMALL)
    near = clips[family]["near"].astype(float)
    assert np.abs(near[..., 3]).max() <= 1
    where = near[1, :, :3]
    assert np.allclose(near[1, :, 3], (asset.field(1, where) / SMALL.truncation).clip(-1, 1), atol=0.02)
    assert 0.1 < np.mean(near[..., 3] > 0) < 0.9


@pytest.mark.parametrize("family", FAMILIES)
def test_one_box_holds_the_whole_sequence(family, clips):
    points = clips[family]["surface"][..., :3].astype(float).reshape(-1, 3)
    assert np.abs(points).max() < 1.02
    longest = (points.max(0) - points.min(0)).max()
    assert 1.75 < longest < 2.02


@pytest.mark.parametrize("family", [f for f in FAMILIES if f != "metaballs"])
def test_aligned_points_follow_the_surface(family, clips):
    asset, aligned = build_asset(family, 5, SMALL), clips[family]["aligned"].astype(float)
    for t in range(SMALL.frames):
        assert np.quantile(np.abs(asset.field(t, aligned[t, :, :3])), 0.9) < 0.02


def test_aligned_points_move_with_their_part_and_not_to_the_nearest_surface():
    settings = replace(SMALL, frames=8)
    asset, clip = build_asset("spinner", 5, settings), build_clip("spinner", 5, settings)
    aligned = clip["aligned"].astype(float)
    part, _ = fields.local_coordinates(*asset.poses[0][:4], asset.poses[0][6], asset.to_object(aligned[0, :, :3]))
    moved = np.linalg.norm(aligned[4, :, :3] - aligned[0, :, :3], axis=1)
    assert moved[part >= 2].mean() > 5 * moved[part == 0].mean()


def test_the_same_seed_gives_the_same_clip_and_another_does_not(clips):
    again, other = build_clip("biped", 5, SMALL), build_clip("biped", 6, SMALL)
    for key, value in clips["biped"].items():
        assert np.array_equal(value, again[key]) and not np.array_equal(value, other[key])


def test_picture_shows_the_surface_and_stays_off_the_border(clips):
    settings = replace(SMALL, image_size=84)
    for family in ("quadruped", "flag", "spinner"):
        asset = build_asset(family, 5, settings)
        points = [asset.to_box(surface_in_object(asset, t, 400, t)[0]) for t in range(3)]
        window = picture_window(asset, points)
        pictures = render_clip(asset, window)
        alpha = pictures[..., 3] > 0
        assert not (alpha[:, 0].any() or alpha[:, -1].any() or alpha[:, :, 0].any() or alpha[:, :, -1].any())
        rows, columns = np.flatnonzero(alpha.any((0, 2))), np.flatnonzero(alpha.any((0, 1)))
        share = max(np.ptp(rows), np.ptp(columns)) + 1
        assert share / 84 == pytest.approx(0.9, abs=0.04)


def test_pixels_on_the_object_are_rays_that_meet_it():
    asset = build_asset("pulsar", 3, replace(SMALL, image_size=32))
    points = [asset.to_box(surface_in_object(asset, t, 400, t)[0]) for t in range(3)]
    window = picture_window(asset, points)
    alpha = render_clip(asset, window)[0, :, :, 3]
    origin, rays, _ = camera_rays(asset, window, 32)
    steps = np.linspace(0, 4, 400)[:, None] / asset.zoom
    middle = np.linalg.norm(origin - asset.centre @ asset.turn)
    for i, j in np.ndindex(8, 8):
        ray = rays[4 * i, 4 * j]
        values = asset.field(0, asset.to_box(origin + (middle - 2 / asset.zoom + steps) * ray), first_order=False)
        if alpha[4 * i, 4 * j] == 255:
            assert values.max() > -0.02
        elif alpha[4 * i, 4 * j] == 0:
            assert values.max() < 0.01


def test_view_frame_is_the_canonical_object_turned_by_the_azimuth():
    view = build_asset("quadruped", 9, SMALL)
    canonical = build_asset("quadruped", 9, replace(SMALL, frame="canonical"))
    assert np.array_equal(canonical.turn, np.eye(3)) and not np.allclose(view.turn, np.eye(3))
    points = np.random.default_rng(0).uniform(-1, 1, (200, 3))
    same = canonical.to_box(view.to_object(points))
    signs = np.sign(view.field(0, points)) == np.sign(canonical.field(0, same))
    assert signs.all()


def test_warp_is_undone_exactly():
    rng = np.random.default_rng(1)
    for _ in range(20):
        warp = rng.uniform(-0.5, 0.5, WARP_SIZE)
        warp[7] = rng.integers(0, 2)
        point = rng.uniform(-1, 1, 3)
        assert np.allclose(fields.unwarp(warp, *fields.rewarp(warp, *point)), point, atol=1e-9)


def test_smooth_union_is_never_thinner_than_its_parts():
    pose = build_asset("metaballs", 2, SMALL).poses[0]
    points = np.random.default_rng(0).uniform(-1, 1, (300, 3))
    blended = fields.distances(*pose, points, False)
    hard = fields.distances(*pose[:5], 0.0, pose[6], points, False)
    assert np.all(blended <= hard + 1e-9) and np.any(blended < hard - 1e-3)


def test_held_out_family_is_not_trained_on():
    assert not set(HELD_OUT) & set(TRAINING)


@pytest.mark.parametrize(
    ("family", "settings", "named"),
    [
        ("dragon", SMALL, "dragon"),
        ("bird", replace(SMALL, frame="world"), "world"),
    ],
)
def test_refusals_name_what_was_given(family, settings, named):
    with pytest.raises(InputError, match=named):
        build_asset(family, 0, settings)
