"""A known texture filmed, taken away, and found again in the pictures."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from shapegen4d_core.errors import Cancelled, InputError
from shapegen4d_core.sequence import Clip
from shapegen4d_core.texturing import TextureSettings, texture_from_video
from shapegen4d_core.texturing.texels import surface_texels, texel_coordinates
from tests.texturing.conftest import paint, pictures, psnr, seen_from, stage, symmetric_paint

SMALL = TextureSettings(size=256, symmetry=False, refine_passes=1)


@pytest.fixture(scope="module")
def made(turning):
    """The texture found in all frames."""
    return texture_from_video(turning.bare, turning.clip, turning.camera, SMALL)


@pytest.fixture(scope="module")
def first_only(turning):
    """The texture found in the first frame."""
    return texture_from_video(turning.bare, turning.clip, turning.camera, replace(SMALL, mode="first frame"))


def away(stage_, result, degrees):
    camera = seen_from(stage_.camera, degrees)
    return psnr(pictures(result.meshes, camera), pictures(stage_.painted, camera))


def test_the_filmed_view_comes_back(turning, made):
    assert away(turning, made, 0) > 38


def test_all_frames_show_more_than_the_first(turning, made, first_only):
    assert made.report.shares["seen"] > first_only.report.shares["seen"] + 0.1
    assert away(turning, made, -60) > away(turning, first_only, -60) + 3


def test_result_is_one_texture_for_all_frames(turning, made):
    meshes = made.meshes
    assert meshes.fixed_topology and meshes.texture.shape == (256, 256, 3)
    assert meshes.frame_count == 3 and meshes.fps == turning.bare.fps
    assert len(meshes.faces[0]) == len(turning.bare.faces[0])
    text = made.report.text()
    assert made.report.size == 256 and "256 x 256" in text
    assert "seen in the video" in text and "textured mesh" not in text and " 0.0 %" not in text  # no shares of nothing


def test_texels_hold_the_painted_colours(turning, made):
    """Against the colours the ball was painted with, not only against pictures."""
    texels = surface_texels(made.meshes.faces[0], made.meshes.uv, 256)
    points = texels.mix(made.meshes.vertices[0], made.meshes.faces[0])
    sure = (made.confidence.reshape(-1)[texels.pixel] > 0.3) & texels.inside
    found = made.meshes.texture.reshape(-1, 3)[texels.pixel[sure]] / 255
    assert sure.mean() > 0.15
    assert np.abs(found - paint(points[sure])).mean() < 0.012


def test_confidence_tells_seen_from_made_up(turning, made):
    texels = surface_texels(made.meshes.faces[0], made.meshes.uv, 256)
    confidence = made.confidence.reshape(-1)
    normals = texels.mix(made.meshes.normals[0], made.meshes.faces[0])
    sight = turning.camera.eye() / np.linalg.norm(turning.camera.eye())
    facing = normals @ sight
    assert confidence.min() >= 0 and confidence.max() <= 1
    assert confidence[texels.pixel[facing > 0.9]].min() > 0.5
    behind = (normals @ [0, 0, -1] > 0.9) | (normals[:, 0] > 0.95)  # no frame turns these to the camera
    assert confidence[texels.pixel[behind]].max() < 0.1
    outside = np.ones(256 * 256, bool)
    outside[texels.pixel] = False
    assert confidence[outside].max() == 0


def seam_difference(meshes, place):
    """Mean difference 0..1 between both sides of all seams, at points along them."""
    size = len(meshes.texture)
    faces, edges = meshes.faces[0], {}
    for face in faces:
        for start in range(3):
            a, b = face[start], face[(start + 1) % 3]
            key = tuple(sorted((place[a], place[b])))
            edges.setdefault(key, []).append((a, b) if place[a] == key[0] else (b, a))
    pairs = [uses for uses in edges.values() if len(uses) == 2 and uses[0] != uses[1]]
    assert len(pairs) > 20
    texture, where = torch.from_numpy(meshes.texture).float() / 255, texel_coordinates(meshes.uv, size) / size
    uv = torch.from_numpy(np.stack([where[:, 0], 1 - where[:, 1]], axis=1)).float()
    from shapegen4d_core.rendering.textured import sample_texture

    sides = []
    for side in range(2):
        a, b = (torch.tensor([pair[side][end] for pair in pairs]) for end in (0, 1))
        sides.append(torch.stack([sample_texture(texture, uv[a] * (1 - s) + uv[b] * s) for s in (0.2, 0.5, 0.8)]))
    return float((sides[0] - sides[1]).abs().mean()), float((sides[0] - sides[1]).abs().max())


def test_both_sides_of_every_seam_agree(made):
    _, place = np.unique(np.concatenate(made.meshes.vertices, axis=1), axis=0, return_inverse=True)
    mean, most = seam_difference(made.meshes, place.reshape(-1))
    assert mean < 0.004 and most < 0.06


def test_a_frame_that_does_not_fit_loses(turning):
    """One of four frames shows other colours; the robust passes get rid of most of it."""
    still = stage(turns=(0.0, 0.0, 0.0, 0.0))
    frames = still.clip.frames.clone()
    frames[2, ..., :3] = 1 - frames[2, ..., :3]
    spoilt = Clip(frames, 8.0)
    plain = replace(SMALL, robust_passes=0, refine_passes=0)
    errors = [
        away(still, texture_from_video(still.bare, spoilt, still.camera, settings), 0)
        for settings in (plain, replace(plain, robust_passes=2))
    ]
    assert errors[1] > errors[0] + 10


def test_detail_passes_sharpen():
    """With stripes a few pixels wide."""
    fine = stage(lambda points: 0.5 + 0.4 * np.sin(40 * points), turns=(0.0,))
    scores = [
        away(fine, texture_from_video(fine.bare, fine.clip, fine.camera, replace(SMALL, refine_passes=n)), 0)
        for n in (0, 3)
    ]
    assert scores[1] > scores[0] + 1


def test_mirrored_side_is_filled_only_where_colours_agree():
    alike = stage(symmetric_paint, turns=(20.0,), yaw=80.0)
    mirrored = replace(SMALL, symmetry=True)
    filled = texture_from_video(alike.bare, alike.clip, alike.camera, mirrored)
    bare = texture_from_video(alike.bare, alike.clip, alike.camera, SMALL)
    assert filled.report.shares["mirrored"] > 0.2 and "symmetric about" in filled.report.mirror
    assert away(alike, filled, 180) > away(alike, bare, 180) + 5
    assert "too little of both sides" in filled.report.mirror  # filmed from the side
    front = stage(symmetric_paint, turns=(0.0,))
    both = texture_from_video(front.bare, front.clip, front.camera, mirrored)
    assert "symmetric about" in both.report.mirror and "too little" not in both.report.mirror
    different = stage(paint, turns=(0.0,))
    kept = texture_from_video(different.bare, different.clip, different.camera, mirrored)
    assert kept.report.shares["mirrored"] == 0 and "colours are not" in kept.report.mirror


def test_same_result_without_kept_samples(turning, made):
    again = texture_from_video(turning.bare, turning.clip, turning.camera, replace(SMALL, cached_samples_mib=0))
    assert np.array_equal(again.meshes.texture, made.meshes.texture)
    assert np.array_equal(again.confidence, made.confidence)


@pytest.mark.parametrize("scale", [0.003, 300.0])
def test_size_and_place_of_the_meshes_do_not_matter(turning, scale):
    """Settings and reports count in half boxes, whatever units a mesh file came in."""
    middle = np.array([5.0, -3.0, 4.0]) * scale
    meshes = replace(
        turning.bare, vertices=tuple((frame * scale + middle).astype(np.float32) for frame in turning.bare.vertices)
    )
    camera = replace(turning.camera, radius=turning.camera.radius * scale, look_at=tuple(middle.tolist()))
    settings = replace(SMALL, symmetry=True)
    found, same = texture_from_video(meshes, turning.clip, camera, settings), texture_from_video(
        turning.bare, turning.clip, turning.camera, settings
    )
    for name, share in same.report.shares.items():
        assert found.report.shares[name] == pytest.approx(share, abs=0.01)
    assert psnr(pictures(found.meshes, camera), pictures(turning.painted, turning.camera)) > 38


def test_a_splinter_at_the_camera_does_not_blank_the_rest(turning, made):
    """Resolution counts against the nearest surface, which is not a limb that reaches past the camera."""
    eye = turning.camera.eye()
    splinter = np.stack([eye + [0, 5, 0.5], eye + [0.01, 5, 0.5], eye + [0, 5, -0.01]]).astype(np.float32)
    count = len(turning.bare.vertices[0])
    faces = np.concatenate([turning.bare.faces[0], [[count, count + 1, count + 2]]]).astype(np.int32)
    meshes = replace(
        turning.bare,
        vertices=tuple(np.concatenate([frame, splinter]) for frame in turning.bare.vertices),
        faces=(faces,) * 3,
    )
    found = texture_from_video(meshes, turning.clip, turning.camera, SMALL)
    assert found.report.shares["seen"] > 0.8 * made.report.shares["seen"]


def test_alpha_that_is_nearly_one_keeps_its_detail():
    """Mattes are seldom exactly 1; such pixels show the object's own colour and get their detail back."""
    fine = stage(lambda points: 0.5 + 0.4 * np.sin(40 * points), turns=(0.0,))
    frames = fine.clip.frames.clone()
    frames[..., 3] *= 0.96
    settings = replace(SMALL, refine_passes=3)
    scores = [
        away(fine, texture_from_video(fine.bare, clip, fine.camera, settings), 0)
        for clip in (fine.clip, replace(fine.clip, frames=frames))
    ]
    assert scores[1] > scores[0] - 0.5


def test_cropped_clips_lie_where_their_window_lies(turning, made):
    crop = turning.clip.frames[:, 6:58, 3:55].clone()
    clip = Clip(crop, 8.0, crop=(3.0, 6.0, 52.0), source_size=(64, 64))
    found = texture_from_video(turning.bare, clip, turning.camera, SMALL)
    assert away(turning, found, 0) > 36


def test_gain_and_linear_light(turning):
    dark = turning.clip.frames.clone()
    dark[1, ..., :3] *= 0.85
    clip = Clip(dark, 8.0)
    plain = texture_from_video(turning.bare, clip, turning.camera, SMALL)
    even = texture_from_video(turning.bare, clip, turning.camera, replace(SMALL, match_gain=True))
    assert away(turning, even, 0) > away(turning, plain, 0) and "evened out" in even.report.text()


def test_linear_light(turning, made):
    """Dark and bright frames half each: the mean in linear light is brighter than that of stored values."""
    still = stage(lambda points: np.full((len(points), 3), 0.5), turns=(0.0, 0.0))
    frames = still.clip.frames.clone()
    frames[0, ..., :3], frames[1, ..., :3] = 0.2, 0.8
    clip, plain = Clip(frames, 8.0), replace(SMALL, robust_passes=0, refine_passes=0)
    means = [
        texture_from_video(still.bare, clip, still.camera, replace(plain, linear_light=light)).meshes.texture.mean()
        for light in (False, True)
    ]
    assert means[0] == pytest.approx(255 * 0.5, abs=1)
    assert means[1] == pytest.approx(255 * 0.6006, abs=1)  # (0.2 and 0.8 to linear light, mean, and back)


@pytest.mark.parametrize("after", [1, 25])
def test_cancel(turning, after):
    calls = []

    def stop():
        calls.append(1)
        if len(calls) > after:
            raise Cancelled

    with pytest.raises(Cancelled):
        texture_from_video(turning.bare, turning.clip, turning.camera, SMALL, check=stop)


def test_progress_rises_to_the_end(turning):
    steps = []
    texture_from_video(
        turning.bare, turning.clip, turning.camera, SMALL, progress=lambda step, total, preview=None: steps.append(step)
    )
    assert steps == sorted(steps) and steps[-1] == 100


def test_refusals(turning):
    meshes = turning.bare
    other = replace(meshes, faces=(*meshes.faces[:2], np.ascontiguousarray(meshes.faces[2][::-1])))
    with pytest.raises(InputError, match="put the Track Topology node before this one"):
        texture_from_video(other, turning.clip, turning.camera, SMALL)
    with pytest.raises(InputError, match="2 frames and the mesh sequence 3"):
        texture_from_video(meshes, replace(turning.clip, frames=turning.clip.frames[:2]), turning.camera, SMALL)
    empty = turning.clip.frames.clone()
    empty[..., 3] = 0
    with pytest.raises(InputError, match="empty mask"):
        texture_from_video(meshes, replace(turning.clip, frames=empty), turning.camera, SMALL)
    away_ = replace(turning.camera, look_at=(0.0, 9.0, 0.0))
    with pytest.raises(InputError, match="No frame of .* shows the meshes"):
        texture_from_video(meshes, turning.clip, away_, SMALL)
    late = turning.clip.frames.clone()
    late[0, ..., 3] = 0
    with pytest.raises(InputError, match="set mode to video"):
        texture_from_video(
            meshes, replace(turning.clip, frames=late), turning.camera, replace(SMALL, mode="first frame")
        )
    bare = replace(meshes, faces=(np.zeros((0, 3), np.int32),) * 3)
    with pytest.raises(InputError, match="no faces"):
        texture_from_video(bare, turning.clip, turning.camera, SMALL)
    with pytest.raises(InputError, match="camera of that shape"):
        texture_from_video(meshes, turning.clip, replace(turning.camera, width=200), SMALL)


@pytest.mark.parametrize(
    "change",
    [{"size": 100}, {"size": 512.0}, {"mode": "best"}, {"sharpness": 0}, {"outlier": float("nan")},
     {"robust_passes": 9}, {"alignment": "magic"}, {"symmetry_tolerance": -1}],
)  # fmt: skip
def test_settings_are_checked(change):
    with pytest.raises(InputError, match=next(iter(change))):
        TextureSettings(**change)


def test_memory_is_stated():
    assert "2048 x 2048 takes 12 MiB" in TextureSettings(size=2048).memory_sentence()
