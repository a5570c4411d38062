"""The travel of an object as keys of the root node: what is left in the vertices, and that nothing is lost."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from shapegen4d_core.export import glb_morph, write_glb
from shapegen4d_core.importing import load_animated, load_sequence
from shapegen4d_core.sequence import MeshSequence
from tests.export.glb_reader import read_glb
from tests.export.shapes import changing, waving


def walking(frame_count: int = 8, shake: float = 0.0) -> MeshSequence:
    """A stretched sphere that turns by 40 degrees per frame and goes far along x."""
    plain = waving(frame_count)
    rest, random = waving(4).vertices[1] + np.float32([0.2, 0, 0]), np.random.default_rng(0)
    frames = []
    for frame in range(frame_count):
        turned = Rotation.from_euler("yx", [40 * frame, 25 * frame], degrees=True).apply(rest)
        frames.append(turned + [5 * frame, frame**2 / 10, 0] + shake * random.normal(size=rest.shape))
    return MeshSequence(tuple(np.float32(frame) for frame in frames), plain.faces, 24.0, "walk")


@pytest.mark.parametrize("kind", ["translation", "rigid"])
@pytest.mark.parametrize("interpolation", ["STEP", "LINEAR"])
@pytest.mark.parametrize("shake", [0.0, 0.1])
def test_it_is_composed_back(tmp_path, kind, interpolation, shake):
    sequence = walking(shake=shake)
    path = write_glb(sequence, tmp_path / "a.glb", root_motion=kind, interpolation=interpolation)
    glb, found = read_glb(path), load_sequence(path)
    for frame, expected in enumerate(sequence.vertices):
        tolerance = 3e-7 * np.abs(expected).max() + 1e-6
        np.testing.assert_allclose(glb.at(frame / 24)[0]["positions"], expected, atol=tolerance)
        np.testing.assert_allclose(found.vertices[frame], expected, atol=tolerance)
    assert found.name == "walk" and found.fps == 24 and found.frame_count == 8
    assert glb.json["animations"][0]["samplers"][1]["interpolation"] == interpolation


def test_translation_leaves_the_centre_at_rest(tmp_path):
    sequence = walking()
    glb = read_glb(write_glb(sequence, tmp_path / "a.glb", root_motion="translation"))
    for frame, expected in enumerate(sequence.vertices):
        root = glb.pose(0, frame / 24)
        np.testing.assert_allclose(root[:3, 3], expected.mean(axis=0), atol=1e-5)
        np.testing.assert_array_equal(root[:3, :3], np.eye(3))
    base = glb.accessor(glb.json["meshes"][0]["primitives"][0]["attributes"]["POSITION"])
    np.testing.assert_allclose(base.mean(axis=0), 0, atol=1e-6)


def test_rigid_leaves_nothing_of_a_rigid_walk(tmp_path):
    sequence = walking()
    glb = read_glb(write_glb(sequence, tmp_path / "a.glb", root_motion="rigid"))
    primitive = glb.json["meshes"][0]["primitives"][0]
    for frame, target in enumerate(primitive["targets"], start=1):
        assert np.abs(glb.accessor(target["POSITION"])).max() < 4e-6
        turn = Rotation.from_euler("yx", [40 * frame, 25 * frame], degrees=True).as_matrix()
        np.testing.assert_allclose(glb.pose(0, frame / 24)[:3, :3], turn, atol=1e-6)


def test_keys_take_the_shorter_way_number_by_number(tmp_path):
    """Some programs blend the four numbers of a rotation one by one, not along the sphere."""
    glb = read_glb(write_glb(walking(20), tmp_path / "a.glb", root_motion="rigid"))
    animation = glb.json["animations"][0]
    (turns,) = [c for c in animation["channels"] if c["target"]["path"] == "rotation"]
    keys = glb.accessor(animation["samplers"][turns["sampler"]]["output"])
    assert (keys[1:] * keys[:-1]).sum(axis=1).min() > 0.9


def test_between_frames_a_turn_stays_round(tmp_path):
    """Halfway between two frames the whole body has its size, which straight lines of vertices would shrink."""
    sequence = walking()
    middles = {}
    for kind in ("none", "rigid"):
        glb = read_glb(write_glb(sequence, tmp_path / "a.glb", root_motion=kind, interpolation="LINEAR"))
        middles[kind] = glb.at(0.5 / 24)[0]["positions"]
    sizes = {kind: np.linalg.norm(points - points.mean(axis=0), axis=1).max() for kind, points in middles.items()}
    first = sequence.vertices[0]
    whole = np.linalg.norm(first - first.mean(axis=0), axis=1).max()
    assert sizes["rigid"] == pytest.approx(whole, rel=1e-5) and sizes["none"] < 0.97 * whole


@pytest.mark.parametrize("interpolation", ["STEP", "LINEAR"])
def test_normals_turn_with_the_root(tmp_path, interpolation):
    sequence = walking(shake=0.02)
    plain = read_glb(write_glb(sequence, tmp_path / "a.glb", interpolation=interpolation))
    moved = read_glb(write_glb(sequence, tmp_path / "b.glb", interpolation=interpolation, root_motion="rigid"))
    for frame in range(8):
        normals = [glb.at(frame / 24)[0]["normals"] for glb in (plain, moved)]
        np.testing.assert_allclose(normals[0], normals[1], atol=2e-6)


@pytest.mark.parametrize("quantize", [False, True])
@pytest.mark.parametrize("loop", ["hold", "cycle", "ping-pong"])
def test_with_everything_else(tmp_path, monkeypatch, quantize, loop):
    """Segments, loops and quantised vertices under a moving root come back as the same frames."""
    monkeypatch.setattr(glb_morph, "MOST_TARGETS", 10)
    for sequence in (walking(), walking(35)):
        path = write_glb(
            sequence, tmp_path / "a.glb", root_motion="rigid", quantize=quantize, loop=loop, interpolation="LINEAR"
        )
        found = load_sequence(path)
        assert found.frame_count == sequence.frame_count
        for ours, theirs in zip(found.vertices, sequence.vertices):
            assert np.abs(ours - theirs).max() <= 1.1e-4 + 3e-7 * np.abs(theirs).max()


def test_a_flip_book_travels_too_and_rests_where_it_is_empty(tmp_path):
    plain = changing(7, empty=(0, 3))
    sequence = MeshSequence(
        tuple(points + np.float32([10 * t, 0, 0]) for t, points in enumerate(plain.vertices)), plain.faces, 12.5
    )
    path = write_glb(sequence, tmp_path / "a.glb", root_motion="translation")
    glb, found = read_glb(path), load_sequence(path)
    places = [glb.pose(0, (frame + 0.5) / 12.5)[0, 3] for frame in range(7)]
    np.testing.assert_allclose(places, [10, 10, 20, 20, 40, 50, 60], atol=1e-4)
    for ours, theirs in zip(found.vertices, sequence.vertices):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)
    assert not found.fixed_topology and load_sequence(path).fps == 12.5


def test_one_frame_stands_where_it_is(tmp_path):
    sequence = walking(1)
    path = write_glb(sequence, tmp_path / "a.glb", root_motion="rigid", quantize=True)
    np.testing.assert_allclose(load_animated(path).vertices[0], sequence.vertices[0], atol=1e-4)


def test_a_full_turn_closes_on_the_shorter_way(tmp_path):
    """A body that spins once on its loop is a quaternion that ends opposite to where it began."""
    rest = waving(4).vertices[1]
    turns = Rotation.from_euler("y", np.arange(0.0, 360.0, 45.0)[:, None], degrees=True)
    frames = tuple(np.float32(turn.apply(rest)) for turn in turns)
    sequence = MeshSequence(frames, waving(8).faces, 8.0)
    path = write_glb(sequence, tmp_path / "a.glb", interpolation="LINEAR", loop="cycle", root_motion="rigid")
    glb = read_glb(path)
    (turned,) = [c for c in glb.json["animations"][0]["channels"] if c["target"]["path"] == "rotation"]
    keys = glb.accessor(glb.json["animations"][0]["samplers"][turned["sampler"]]["output"])
    assert len(keys) == 9 and (keys[1:] * keys[:-1]).sum(axis=1).min() > 0.9
