"""The search for the field of view, and the published counts."""

from __future__ import annotations

import pytest
import torch

from shapegen4d_core.registration.pose import PoseSettings, field_of_view, published, register_pose
from shapegen4d_core.registration.pose.poses import angle_between
from shapegen4d_core.registration.pose.scene import build_scene


def test_the_lens_is_found_from_a_wrong_one(brief, monkeypatch):
    monkeypatch.setattr(field_of_view, "_SIDE", 96)  # quicker, and less exact
    settings = PoseSettings(fov_degrees=58.0, search_fov=True, views=64, rivals=1, moves=0)
    result = register_pose(brief.meshes, brief.clip, settings)
    assert result.camera.fov_degrees == pytest.approx(40.0, abs=5)
    assert result.report["stages"]["field of view"]["fov_degrees"] == result.camera.fov_degrees
    assert float(angle_between(torch.from_numpy(result.rotation), brief.rotation)) < 2


def test_published_cameras_have_the_published_ranges():
    cameras = published.random_cameras(5000, torch.Generator().manual_seed(0))
    assert float(cameras[:, 2].min()) >= 2 and float(cameras[:, 2].max()) <= 10
    assert cameras[:, 3:].abs().max() <= 2
    assert abs(float(cameras[:, 1].sin().mean())) < 0.05  # even over the sphere


def test_camera_rows_and_pose_rows_agree(known):
    scene = build_scene(known.meshes, known.clip, 40.0, 4000)
    cameras = published.random_cameras(200, torch.Generator().manual_seed(0))
    poses = published._poses(cameras, scene.pivot)
    ahead = poses[:, 5].exp() > 0.1
    back = torch.stack([published._camera(pose, scene.pivot) for pose in poses[ahead]])
    again = published._poses(back, scene.pivot)
    torch.testing.assert_close(again, poses[ahead], atol=1e-8, rtol=1e-8)


def test_the_published_counts_run(brief, monkeypatch):
    """With the counts made small; frame 1 alone decides."""
    counts = (("CAMERAS", 300), ("KEPT", 30), ("MOVES", 6), ("GRADIENT_STEPS", 40))
    for name, value in counts:
        monkeypatch.setattr(published, name, value)
    steps = []
    settings = PoseSettings(preset="faithful")
    result = register_pose(brief.meshes, brief.clip, settings, progress=lambda *step: steps.append(step[0]))
    assert list(result.report["stages"]) == ["candidates", "swarm", "refine", "result"]
    assert result.report["stages"]["swarm"]["after"] <= result.report["stages"]["swarm"]["before"]
    assert steps == sorted(steps) and result.iou[0] > 0.3
