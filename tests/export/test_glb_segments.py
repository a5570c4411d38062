"""Fixed topology over many frames: several morph meshes take turns, without a seam in time."""

from __future__ import annotations

import numpy as np
import pytest

from shapegen4d_core.export import glb_morph, uses_morph_targets, write_glb
from shapegen4d_core.importing import load_animated, load_sequence
from shapegen4d_core.sequence import MeshSequence
from tests.export.glb_reader import Glb, read_glb

CORNERS, FACES = np.float32([[0, 0, 0], [1, 0, 0], [0, 1, 0]]), np.int32([[0, 1, 2]])


def rising(frame_count: int, fps: float = 30.0) -> MeshSequence:
    """A triangle whose first corner is at height t, exactly, in frame t."""
    frames = tuple(CORNERS + np.float32([[0, 0, frame], [0, 0, 0], [0, 0, 0]]) for frame in range(frame_count))
    return MeshSequence(frames, (FACES,) * frame_count, fps, "long")


@pytest.fixture
def five_frames(monkeypatch):
    """Meshes of at most 5 frames, to try many seams in little time."""
    monkeypatch.setattr(glb_morph, "MOST_TARGETS", 4)


def height(glb: Glb, seconds: float) -> float:
    (shown,) = glb.at(seconds)
    return float(shown["positions"][0, 2])


@pytest.mark.parametrize("frame_count, segments", [(251, 1), (252, 2), (501, 2), (502, 3), (760, 4)])
def test_every_frame_is_there_once_and_blends_across_the_seams(tmp_path, frame_count, segments):
    sequence = rising(frame_count)
    assert uses_morph_targets(sequence)
    glb = read_glb(write_glb(sequence, tmp_path / "a.glb", interpolation="LINEAR"))
    assert len(glb.json["meshes"]) == segments
    assert max(len(mesh["weights"]) for mesh in glb.json["meshes"]) <= 250
    last = frame_count - 1
    for position in [0, 0.5, 249.5, 250, 250.5, 251, last - 0.5, last, last + 0.5, last + 1]:
        expected = min(position, last)
        assert height(glb, position / 30) == pytest.approx(expected, abs=1e-3), position
    assert glb.duration() == pytest.approx(frame_count / 30)


def test_segments_share_faces_and_are_named_after_their_frames(tmp_path):
    glb = read_glb(write_glb(rising(252), tmp_path / "a.glb"))
    assert glb.names() == ["long", "frames_0001_0251", "frames_0251_0252"]
    assert glb.json["nodes"][0]["children"] == [1, 2]
    assert glb.json["meshes"][1]["extras"]["targetNames"] == ["frame_0252"]
    assert len({mesh["primitives"][0]["indices"] for mesh in glb.json["meshes"]}) == 1
    assert [node.get("scale") for node in glb.json["nodes"][1:]] == [None, [0, 0, 0]]


@pytest.mark.parametrize("interpolation", ["STEP", "LINEAR"])
@pytest.mark.parametrize("frame_count", [5, 6, 9, 10])
def test_a_cycle_returns_to_the_first_frame(tmp_path, five_frames, frame_count, interpolation):
    glb = read_glb(write_glb(rising(frame_count), tmp_path / "a.glb", interpolation=interpolation, loop="cycle"))
    last, half = frame_count - 1, (frame_count - 0.5) / 30
    assert height(glb, last / 30) == pytest.approx(last, abs=1e-3)
    assert height(glb, half) == pytest.approx(last if interpolation == "STEP" else last / 2, abs=0.05)
    assert height(glb, frame_count / 30) == pytest.approx(0, abs=1e-3)
    assert max(len(mesh["weights"]) for mesh in glb.json["meshes"]) <= 4


def test_ping_pong_goes_back_through_the_segments(tmp_path):
    glb = read_glb(write_glb(rising(502), tmp_path / "a.glb", interpolation="LINEAR", loop="ping-pong"))
    assert glb.duration() == pytest.approx(1002 / 30)
    for position in (0, 249.5, 250.5, 500.25, 501, 501.5, 502.5, 750.5, 752, 753.5, 1001.5, 1002):
        assert height(glb, position / 30) == pytest.approx(501 - abs(501 - position), abs=2e-3), position


@pytest.mark.parametrize("loop", ["hold", "cycle", "ping-pong"])
@pytest.mark.parametrize("interpolation", ["STEP", "LINEAR"])
@pytest.mark.parametrize("frame_count", [2, 5, 6, 9, 10, 30])
def test_they_come_back_as_one_sequence(tmp_path, five_frames, frame_count, interpolation, loop):
    sequence = rising(frame_count, 24.0)
    path = write_glb(sequence, tmp_path / "a.glb", interpolation=interpolation, loop=loop)
    found = load_sequence(path)
    np.testing.assert_array_equal(np.stack(found.vertices), np.stack(sequence.vertices))
    assert found.fixed_topology and found.fps == 24 and found.name == "long"
    np.testing.assert_array_equal(load_animated(path).vertices, np.stack(sequence.vertices))


def test_600_frames_come_back(tmp_path):
    sequence = rising(600)
    found = load_sequence(write_glb(sequence, tmp_path / "a.glb", interpolation="LINEAR", loop="cycle"))
    np.testing.assert_array_equal(np.stack(found.vertices), np.stack(sequence.vertices))
