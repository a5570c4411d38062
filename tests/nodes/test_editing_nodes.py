"""Picking and joining on the way from clip to meshes."""

from __future__ import annotations

import pytest
import torch

KINDS = ["clip", "tokens", "latents", "meshes"]


def first(value, kind):
    frames = {"clip": "frames", "tokens": "tokens", "latents": "latents", "meshes": "vertices"}[kind]
    return torch.as_tensor(getattr(value, frames)[0])


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_picked_and_joined_to_what_it_was(run, chain, kind):
    whole = chain[kind]
    start, fps, frames = run("PickFrames", sequence=whole, stop=1).result
    assert type(start) is type(whole) and (fps, frames) == (whole.fps, 1)
    rest, _, frames = run("PickFrames", sequence=whole, start=-3).result
    assert frames == 3
    given = {"sequences.sequence1": rest, "sequences.sequence0": start}  # a workflow may name them in any order
    joined, fps, frames = run("JoinSequences", **given).result
    assert (fps, frames) == (whole.fps, 4) and torch.equal(first(joined, kind), first(whole, kind))


def test_widgets_at_zero_take_all(run, chain):
    meshes, fps, frames = run("PickFrames", sequence=chain["meshes"]).result
    assert frames == 4 and fps == chain["meshes"].fps
    assert all(old is new for old, new in zip(chain["meshes"].vertices, meshes.vertices))


def test_settings_reach_the_core(run, chain):
    latents, fps, frames = run("PickFrames", sequence=chain["latents"], stride=2, reverse=True).result
    assert frames == 2 and fps == pytest.approx(chain["latents"].fps / 2)
    assert torch.equal(latents.latents, chain["latents"].latents[[2, 0]])
    latents, fps, _ = run("PickFrames", sequence=chain["latents"], count=2, start=1, stop=3).result
    assert torch.equal(latents.latents, chain["latents"].latents[1:3]) and fps == chain["latents"].fps


def test_picked_latents_decode_to_the_picked_meshes(run, chain):
    latents = run("PickFrames", sequence=chain["latents"], start=2, stop=3).result[0]
    (frame,) = run("DecodeSDFSequence", model=chain["model"], latents=latents, resolution=16).result[0].vertices
    assert (frame == chain["meshes"].vertices[2]).all()


def test_the_first_rate_holds_only_on_request(run, chain):
    slow = run("PickFrames", sequence=chain["clip"], stride=2).result[0]
    given = {"sequences.sequence0": chain["clip"], "sequences.sequence1": slow}
    with pytest.raises(ValueError, match="set different_fps to keep first"):
        run("JoinSequences", **given)
    assert run("JoinSequences", **given, different_fps="keep first").result[1:] == (chain["clip"].fps, 6)


def test_more_than_ten_stand_in_the_order_of_their_numbers(run, chain):
    single = [run("PickFrames", sequence=chain["clip"], start=index, stop=index + 1).result[0] for index in range(4)]
    given = {f"sequences.sequence{index}": single[index % 4] for index in range(12)}
    joined = run("JoinSequences", **dict(sorted(given.items()))).result[0]
    assert torch.equal(joined.frames, chain["clip"].frames.repeat(3, 1, 1, 1))


def test_another_kind_is_one_sentence(run, chain, frames):
    with pytest.raises(ValueError, match="This is a Tensor, which has no frames of ours"):
        run("PickFrames", sequence=frames[0])
    with pytest.raises(ValueError, match="Sequence 2 is meshes and the first is a clip; join values of one kind"):
        run("JoinSequences", **{"sequences.sequence0": chain["clip"], "sequences.sequence1": chain["meshes"]})


def test_sockets_of_one_node_share_a_kind(nodes):
    for name in ("PickFrames", "JoinSequences"):
        schema = nodes[f"ShapeGen4D_{name}"].define_schema()
        given = schema.inputs[0].template
        given = given if name == "PickFrames" else given.input.template
        assert schema.outputs[0].template is given
        assert [kind.io_type for kind in given.allowed_types] == [
            f"SHAPEGEN4D_{kind}" for kind in ("MESH_SEQUENCE", "CLIP", "IMAGE_TOKENS", "LATENTS")
        ]
