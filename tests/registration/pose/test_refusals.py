"""Input that cannot be placed is refused in one sentence."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from shapegen4d_core.errors import InputError
from shapegen4d_core.registration.pose import PoseSettings, register_pose

EMPTY = (np.zeros((0, 3), np.float32), np.zeros((0, 3), np.int32))


def refusal(meshes, clip):
    quick = PoseSettings(views=16, rivals=1, moves=0, settle=False, refine=False, appearance=False)
    with pytest.raises(InputError) as caught:
        register_pose(meshes, clip, quick)
    message = str(caught.value)
    assert message.endswith(".") and message.count(". ") == 0
    return message


def test_an_empty_mask(known):
    frames = known.clip.frames.clone()
    frames[..., 3] = 0.4
    assert "alpha is below one half everywhere" in refusal(known.meshes, replace(known.clip, frames=frames))


def test_meshes_that_are_all_empty(known):
    meshes = replace(known.meshes, vertices=(EMPTY[0],) * 4, faces=(EMPTY[1],) * 4)
    assert "All 4 meshes of 'body' are empty" in refusal(meshes, known.clip)


def test_other_counts_of_frames(known):
    clip = replace(known.clip, frames=known.clip.frames[:3])
    assert "4 meshes and the clip 3 frames" in refusal(known.meshes, clip)


def test_no_frame_that_has_both(known):
    vertices, faces = list(known.meshes.vertices), list(known.meshes.faces)
    frames = known.clip.frames.clone()
    for number in range(4):
        if number < 2:
            vertices[number], faces[number] = EMPTY
        else:
            frames[number] = 0
    meshes = replace(known.meshes, vertices=tuple(vertices), faces=tuple(faces))
    clip = replace(known.clip, frames=frames)
    assert "frames 3, 4 but the clip shows the object in frames 1, 2" in refusal(meshes, clip)


def test_outlines_that_nothing_can_cover(known):
    """Two specks at opposite borders: the framed body lies between them."""
    frames = torch.zeros_like(known.clip.frames)
    frames[:, 0, 0], frames[:, 95, 95] = 1, 1
    assert "which is none" in refusal(known.meshes, replace(known.clip, frames=frames))


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"preset": "fast"}, "default and faithful"),
        ({"placement": "world"}, "meshes and camera"),
        ({"fov_degrees": 150.0}, "5 to 120"),
        ({"fov_degrees": True}, "5 to 120"),
        ({"frames": 0}, 'or "all"'),
        ({"views": 4}, "16 to 4096"),
        ({"moves": -1}, "0 to 1000"),
        ({"roll": 1}, "true or false"),
    ],
)
def test_settings_out_of_range(changes, words):
    with pytest.raises(InputError, match=words):
        PoseSettings(**changes)
