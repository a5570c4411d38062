"""What the last fit gives is kept only when it is not worse than its start, and did not turn far."""

from __future__ import annotations

import pytest
import torch

from shapegen4d_core.registration.pose import PoseSettings, finish
from shapegen4d_core.registration.pose.judge import Judge
from shapegen4d_core.registration.pose.poses import pose_of
from shapegen4d_core.registration.pose.scene import build_scene


@pytest.fixture(scope="module")
def setting(brief):
    scene = build_scene(brief.meshes, brief.clip, 40.0, 1000)
    return scene, Judge(scene, appearance=False), pose_of(brief.rotation, brief.translation, scene.pivot)[None]


def accepted(setting, start, end):
    scene, judge, _ = setting
    before = judge(start, [0, 1], 96).row(0)
    return before, *finish._accepted(scene, start, before, end, [0, 1], judge, PoseSettings(appearance=False))


def test_a_better_pose_is_kept(setting):
    truth = setting[2]
    before, kept, word, after = accepted(setting, truth + 0.03, truth)
    assert word == "fit" and after["total"] < before["total"]
    torch.testing.assert_close(kept, truth)


def test_a_worse_pose_is_not_kept_and_nothing_turns(setting):
    truth = setting[2]
    before, kept, word, after = accepted(setting, truth, truth + torch.tensor([0.1, 0.1, 0, 0, 0, 0]))
    assert word in ("place only", "start") and after["total"] <= before["total"] + 1e-3
    torch.testing.assert_close(kept[:, :3], truth[:, :3])


def test_a_pose_that_turned_far_is_not_kept_though_it_is_better(setting):
    truth = setting[2]
    start = truth + torch.tensor([0.35, 0, 0, 0, 0, 0])  # 20 degrees
    _, kept, word, _ = accepted(setting, start, truth)
    assert word in ("place only", "start")
    torch.testing.assert_close(kept[:, :3], start[:, :3])
