"""The whole search: results, their forms, the same answer twice, progress, cancelling."""

from __future__ import annotations

import json
import time
from dataclasses import replace

import numpy as np
import pytest
import torch

from shapegen4d_core.errors import Cancelled
from shapegen4d_core.registration.pose import PoseSettings, outline, register_pose
from shapegen4d_core.registration.pose.poses import angle_between
from shapegen4d_core.registration.pose.result import outline_overlap
from shapegen4d_core.registration.pose.scene import build_scene
from shapegen4d_core.sequence import Clip

QUICK = {"views": 64, "rivals": 2, "particles": 3, "moves": 1}


@pytest.fixture(scope="module")
def seen():
    """Progress (step, total) and the processor time at all checks of the run below."""
    return {"progress": [], "checks": []}


@pytest.fixture(scope="module")
def found(brief, seen):
    return register_pose(
        brief.meshes,
        brief.clip,
        PoseSettings(**QUICK),
        progress=lambda *step: seen["progress"].append(step[:2]),
        check=lambda: seen["checks"].append(time.process_time()),
    )


def error(result, known):
    return float(angle_between(torch.from_numpy(result.rotation), known.rotation))


def test_meshes_lie_on_the_clip(found, brief):
    assert error(found, brief) < 1 and found.iou.shape == (2,) and found.iou.min() > 0.96
    again = outline_overlap(found.meshes, found.camera, brief.clip)
    np.testing.assert_array_equal(found.iou, again)


def test_meshes_stand_before_a_camera_on_the_z_axis(found, brief):
    camera = found.camera
    assert (camera.yaw_degrees, camera.pitch_degrees, camera.look_at) == (0.0, 0.0, (0.0, 0.0, 0.0))
    assert (camera.width, camera.height) == (96, 96)
    centre = found.rotation @ brief.meshes.bounds().astype(float).mean(axis=0) + found.translation
    assert camera.radius == pytest.approx(centre[2], rel=1e-6)
    in_camera = brief.meshes.vertices[1] @ found.rotation.T + found.translation
    expected = in_camera * (1, -1, -1) + (0, 0, camera.radius)
    np.testing.assert_allclose(found.meshes.vertices[1], expected, atol=1e-5)


def test_or_the_camera_moves_and_the_meshes_stay(found, brief):
    """The same seed gives the same pose, so the two differ in nothing else."""
    other = register_pose(brief.meshes, brief.clip, PoseSettings(placement="camera", **QUICK))
    assert other.meshes is brief.meshes
    np.testing.assert_array_equal(other.rotation, found.rotation)
    assert np.abs(other.iou - found.iou).max() < 0.01


def test_roll_turns_meshes_about_the_view_axis_only(brief):
    frames = torch.rot90(brief.clip.frames, 1, (1, 2)).contiguous()
    clip = replace(brief.clip, frames=frames)
    settings = PoseSettings(placement="camera", roll=True, views=48, rivals=2, moves=0)
    result = register_pose(brief.meshes, clip, settings)
    assert result.iou.min() > 0.96
    before, after = (np.linalg.norm(x.vertices[0] - x.vertices[0][0], axis=1) for x in (brief.meshes, result.meshes))
    np.testing.assert_allclose(before, after, atol=1e-5)
    turned = result.rotation @ brief.rotation.numpy().T  # the picture was turned by a quarter
    np.testing.assert_allclose(turned, [[0, 1, 0], [-1, 0, 0], [0, 0, 1]], atol=0.03)


def test_a_crop_of_a_plate_gives_the_plates_camera(brief):
    """The same picture as a window of a larger plate: the same meshes, seen by a camera with a wider view."""
    small = brief.clip.frames[:1]
    meshes = replace(brief.meshes, vertices=brief.meshes.vertices[:1], faces=brief.meshes.faces[:1])
    wide = torch.zeros(1, 144, 192, 4)
    wide[:, 20:116, 40:136] = small
    plate = Clip(wide, 8.0)
    crop = Clip(small, 8.0, crop=(40.0, 20.0, 96.0), source_size=(144, 192))
    fov = float(np.degrees(2 * np.arctan(np.tan(np.radians(20)) * 1.5)))
    results = [register_pose(meshes, clip, PoseSettings(fov_degrees=fov, **QUICK)) for clip in (plate, crop)]
    for result in results:
        assert (result.camera.width, result.camera.height) == (192, 144)
        assert result.iou.min() > 0.95
    np.testing.assert_allclose(results[0].rotation, results[1].rotation, atol=2e-3)


def test_frames_without_object_or_mesh_are_left_out(known):
    frames = known.clip.frames[:3].clone()
    frames[1] = 0
    empty = (np.zeros((0, 3), np.float32), np.zeros((0, 3), np.int32))
    vertices, faces = (list(value[:3]) for value in (known.meshes.vertices, known.meshes.faces))
    vertices[2], faces[2] = empty
    meshes = replace(known.meshes, vertices=tuple(vertices), faces=tuple(faces))
    result = register_pose(meshes, replace(known.clip, frames=frames), PoseSettings(**QUICK))
    assert result.report["frames_used"] == result.report["frames_paired"] == [1]
    assert result.iou[0] > 0.96 and result.iou[1] == 0 and result.iou[2] == 0


def test_a_long_clip_is_searched_in_some_of_its_frames(brief):
    """Memory and time do not grow with the clip; which frames have both a mesh and an outline is told of all."""
    count = 100
    frames = brief.clip.frames[:1].repeat(count, 1, 1, 1)
    frames[7] = 0
    meshes = replace(brief.meshes, vertices=brief.meshes.vertices[:1] * count, faces=brief.meshes.faces[:1] * count)
    scene = build_scene(meshes, replace(brief.clip, frames=frames), 40.0, 200)
    assert len(scene.used) == len(scene.shapes) == len(scene.pictures) == 64
    assert scene.used[0] == 0 and scene.used[-1] == 99 and 7 not in scene.used
    assert len(scene.paired) == 99 and 7 not in scene.paired and set(scene.used) <= set(scene.paired)


def test_scores_do_not_depend_on_how_many_poses_are_drawn_at_once(brief, monkeypatch):
    scene = build_scene(brief.meshes, brief.clip, 40.0, 200)
    poses = torch.tensor([[0.1 * n, 0.2, 0.0, 0.0, 0.0, 1.2] for n in range(5)], dtype=torch.float64)
    whole = outline.outline_scores(scene, poses, [0, 1], 64)
    monkeypatch.setattr(outline, "_PIXELS_AT_ONCE", 2 * 64 * 64)
    parts = outline.outline_scores(scene, poses, [0, 1], 64)
    assert whole.iou.shape == (5, 2) and torch.equal(whole.iou, parts.iou) and torch.equal(whole.cost, parts.cost)


def test_every_stage_reports_and_progress_grows_to_its_end(found, seen):
    steps, totals = zip(*seen["progress"])
    assert len(set(totals)) == 1 and list(steps) == sorted(steps) and steps[-1] == totals[0]
    assert list(found.report["stages"]) == ["candidates", "settle", "rank", "swarm", "refine", "result"]
    last = found.report["stages"]["refine"]
    assert last["after"]["total"] <= last["before"]["total"] + 1e-3
    json.dumps(found.report)


def test_stages_can_be_left_out(brief):
    settings = PoseSettings(views=96, rivals=3, moves=0, refine=False, appearance=False, settle=False)
    result = register_pose(brief.meshes, brief.clip, settings)
    assert list(result.report["stages"]) == ["candidates", "rank", "result"]
    assert error(result, brief) < 20


def test_a_cancel_takes_effect_at_once_in_every_stage(brief, found, seen):
    gaps = np.diff(seen["checks"])
    assert len(gaps) > 100 and np.median(gaps) < 0.1 and np.sort(gaps)[-3] < 1.0
    for number in (3, len(gaps) // 3):
        left = iter(range(number))

        def check(left=left):
            if next(left, None) is None:
                raise Cancelled

        with pytest.raises(Cancelled):
            register_pose(brief.meshes, brief.clip, PoseSettings(**QUICK), check=check)
