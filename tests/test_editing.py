"""Picking and joining frames: which frames come out, how long they last, what is refused."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from shapegen4d_core.editing import join, pick_frames
from shapegen4d_core.errors import InputError
from shapegen4d_core.sequence import Clip, ImageTokens, LatentSequence, MeshSequence

FACES = np.int32([[0, 1, 2]])
UV = np.float32([[0, 0], [1, 0], [0, 1]])
TEXTURE = np.full((2, 2, 3), 7, np.uint8)


def clip(count=8, fps=8.0, side=2, **given):
    frames = torch.arange(count).float()[:, None, None, None].expand(-1, side, side, 4) / 100
    return Clip(frames.contiguous(), fps, "walk", **given)


def tokens(count=8, fps=8.0, model="tiny"):
    return ImageTokens(torch.arange(count).float()[:, None, None].expand(-1, 3, 2) / 100, fps, "walk", model)


def latents(count=8, fps=8.0, model="tiny", **settings):
    frames = torch.arange(count).float()[:, None, None].expand(-1, 3, 2) / 100
    return LatentSequence(frames, fps, "walk", model, settings)


def meshes(count=8, fps=8.0, faces=FACES, vertex_count=3, normals=False, **given):
    frames = tuple(np.full((vertex_count, 3), index / 100, np.float32) for index in range(count))
    up = tuple(np.full((vertex_count, 3), index / 10, np.float32) for index in range(count)) if normals else None
    return MeshSequence(frames, (faces,) * count, fps, "walk", normals=up, **given)


MAKERS = [clip, tokens, latents, meshes]


def numbers(value):
    """Which frames a value holds, as they were numbered."""
    if isinstance(value, MeshSequence):
        return [round(float(frame[0, 0]) * 100) for frame in value.vertices]
    frames = getattr(value, {Clip: "frames", ImageTokens: "tokens", LatentSequence: "latents"}[type(value)])
    return [round(float(frame.flatten()[0]) * 100) for frame in frames]


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize(
    ("given", "expected", "fps"),
    [
        ({}, range(8), 8.0),
        ({"start": 2, "stop": 5}, [2, 3, 4], 8.0),
        ({"stride": 2}, [0, 2, 4, 6], 4.0),
        ({"stride": 3}, [0, 3, 6], 8 / 3),
        ({"count": 4}, [0, 2, 4, 6], 4.0),
        ({"count": 3, "stop": 6}, [0, 2, 4], 4.0),
        ({"start": -3}, [5, 6, 7], 8.0),
        ({"stop": -6}, [0, 1], 8.0),
        ({"start": -8, "stop": -1, "stride": 2}, [0, 2, 4, 6], 4.0),
        ({"reverse": True, "stride": 2}, [6, 4, 2, 0], 4.0),
        ({"start": 4, "stop": 5}, [4], 8.0),
        ({"count": 1}, [0], 1.0),
    ],
    ids=str,
)
def test_frames_and_their_rate(make, given, expected, fps):
    value = make()
    picked = pick_frames(value, **given)
    assert type(picked) is type(value) and numbers(picked) == list(expected) and picked.fps == pytest.approx(fps)
    assert picked.name == "walk" and numbers(value) == list(range(8)) and value.fps == 8.0


def test_what_belongs_to_a_frame_goes_with_it_and_the_rest_stays():
    given = meshes(normals=True, uv=UV, texture=TEXTURE, settings={"seed": 1})
    picked = pick_frames(given, start=3, stride=2, reverse=True)
    assert [float(frame[0, 0]) for frame in picked.normals] == pytest.approx([0.7, 0.5, 0.3])
    assert picked.uv is UV and picked.texture is TEXTURE and picked.settings == {"seed": 1}
    assert all(frame is FACES for frame in picked.faces)
    square = clip(crop=(1.0, 2.0, 3.0), source_size=(9, 9))
    assert pick_frames(square, stop=2).crop == square.crop


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"start": 8}, "start is 8, but there are 8 frames"),
        ({"start": -9}, "start is -9, but there are 8 frames; set start to -8 or more"),
        ({"stop": -9}, "stop is -9, but there are 8 frames; set stop to -8 or more"),
        ({"stop": 9}, "stop is 9, but there are 8 frames"),
        ({"start": 3, "stop": 3}, r"stop \(3\) does not lie behind start \(3\) in 8 frames; raise stop"),
        ({"stop": -8}, r"stop \(-8\) does not lie behind start \(0\) in 8 frames"),
        ({"stride": 0}, "stride is 0"),
        ({"count": 9}, "count asks for 9 frames"),
        ({"count": 3, "stride": 4}, "count asks for 3 frames, but start, stop and stride leave 2"),
    ],
)
def test_settings_that_do_not_fit_are_named(given, message):
    with pytest.raises(InputError, match=message):
        pick_frames(meshes(), **given)


@pytest.mark.parametrize("act", [pick_frames, lambda value: join([value, value])])
def test_other_values_are_refused(act):
    with pytest.raises(InputError, match="This is a Tensor.*accepted are a clip, image tokens, latents, meshes"):
        act(torch.zeros(3, 4, 4, 3))


@pytest.mark.parametrize("make", MAKERS)
def test_joined_frames_stand_in_their_order(make):
    joined = join([make(3), make(2), make(1)])
    assert type(joined) is type(make(1)) and numbers(joined) == [0, 1, 2, 0, 1, 0] and joined.fps == 8.0


@pytest.mark.parametrize("make", MAKERS)
def test_picked_parts_join_to_the_whole(make):
    value = make()
    joined = join([pick_frames(value, stop=3), pick_frames(value, start=3)])
    assert numbers(joined) == numbers(value) and joined.fps == value.fps


@pytest.mark.parametrize("make", MAKERS)
def test_rates_must_agree_unless_the_first_is_to_hold(make):
    with pytest.raises(InputError, match="Sequence 2 has 12 frames per second and the first 8.*keep first"):
        join([make(2), make(2, fps=12.0)])
    assert join([make(2), make(2, fps=12.0)], different_fps="keep first").fps == 8.0
    with pytest.raises(InputError, match="different_fps is 'slower'"):
        join([make(2)], different_fps="slower")


def test_one_topology_stays_one_and_its_faces_are_kept_once():
    joined = join([meshes(2, normals=True), meshes(2, faces=FACES.copy(), normals=True)])
    assert joined.fixed_topology and all(frame is joined.faces[0] for frame in joined.faces)
    assert len(joined.normals) == 4
    turned = join([meshes(2), meshes(2, faces=FACES[:, ::-1].copy())])
    assert not turned.fixed_topology and turned.faces[2] is turned.faces[3]
    assert not join([meshes(2), meshes(2, vertex_count=4)]).fixed_topology


def test_one_texture_is_kept_and_two_are_refused():
    textured = meshes(2, uv=UV, texture=TEXTURE)
    joined = join([textured, meshes(2, faces=FACES.copy(), uv=UV.copy(), texture=TEXTURE.copy())])
    assert joined.fixed_topology and joined.uv is UV and joined.texture is TEXTURE
    for other in (meshes(2), meshes(2, uv=UV), meshes(2, uv=UV, texture=TEXTURE + 1)):
        for pair in ([textured, other], [other, textured]):
            with pytest.raises(InputError, match="Sequence 2 has another texture or uv than the first"):
                join(pair)
    with pytest.raises(InputError, match="a texture needs one topology"):
        join([textured, meshes(2, faces=FACES[:, ::-1].copy(), uv=UV, texture=TEXTURE)])


def test_normals_stay_only_when_all_have_them():
    assert join([meshes(2, normals=True), meshes(2)]).normals is None


def test_settings_that_differ_are_all_noted():
    assert join([latents(2, seed=1), latents(2, seed=1)]).settings == {"seed": 1}
    assert join([latents(2, seed=1), latents(2, seed=2)]).settings == {"joined": [{"seed": 1}, {"seed": 2}]}
    assert join([meshes(1, settings={"a": 1}), meshes(1)]).settings == {"joined": [{"a": 1}, {}]}


def test_crops_that_differ_are_not_claimed():
    one = clip(2, crop=(1.0, 2.0, 3.0), source_size=(9, 9))
    assert join([one, one]).crop == (1.0, 2.0, 3.0)
    other = dataclasses.replace(one, crop=(1.0, 2.0, 4.0))
    joined = join([one, other])
    assert joined.crop is None and joined.source_size is None


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([clip(), latents()], "Sequence 2 is latents and the first is a clip"),
        ([latents(), latents(), 3], "Sequence 3 is a int and the first is latents"),
        ([latents(), latents(model="other")], "Sequence 2 was made with the model 'other' and the first with 'tiny'"),
        ([tokens(), tokens(model="other")], "Sequence 2 was made with the model 'other'"),
        ([clip(), clip(side=4)], r"frames of sequence 2 have the shape \[4, 4, 4\] and those of the first \[2, 2, 4\]"),
        ([], "nothing to join"),
    ],
)
def test_values_that_do_not_fit_are_named(values, message):
    with pytest.raises(InputError, match=message):
        join(values)
