"""What our own exporter writes comes back: both encodings, their frames, rate, name and settings."""

from __future__ import annotations

import numpy as np
import pytest

from shapegen4d_core.errors import InputError
from shapegen4d_core.export import write_glb
from shapegen4d_core.importing import load_animated, load_sequence
from shapegen4d_core.sequence import MeshSequence
from tests.export.shapes import changing, sphere, waving
from tests.importing.scenes import animate, read_json, triangle_file, write_json

RATES = [1.0, 12.5, 24.0, 30000 / 1001, 29.97, 60.0]


def same_frames(found: MeshSequence, wanted: MeshSequence) -> None:
    assert found.frame_count == wanted.frame_count
    for ours, theirs in zip(found.vertices, wanted.vertices):
        np.testing.assert_allclose(ours, theirs, atol=2e-7)
    for ours, theirs in zip(found.faces, wanted.faces):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("interpolation", ["STEP", "LINEAR"])
@pytest.mark.parametrize("fps", RATES)
def test_morph_targets(tmp_path, fps, interpolation):
    sequence = waving(7, fps, name="wave", settings={"seed": 3})
    found = load_sequence(write_glb(sequence, tmp_path / "a.glb", interpolation=interpolation))
    same_frames(found, sequence)
    assert found.fps == fps and found.name == "wave" and found.settings == {"seed": 3}
    mesh = load_animated(tmp_path / "a.glb")
    np.testing.assert_array_equal(mesh.vertices, np.stack(found.vertices))
    assert mesh.fps == fps and mesh.name == "a" and mesh.root is None


@pytest.mark.parametrize("fps", RATES)
def test_flip_book_with_its_empty_frames_and_topology(tmp_path, fps):
    sequence = changing(9, fps, empty=(0, 3, 8), name="flip")
    found = load_sequence(write_glb(sequence, tmp_path / "a.glb"))
    same_frames(found, sequence)
    assert found.fps == fps and found.name == "flip" and not found.fixed_topology
    with pytest.raises(InputError, match="topology changes"):
        load_animated(tmp_path / "a.glb")


def test_flip_book_of_one_topology_is_an_animated_mesh(tmp_path):
    long = waving(253, 50.0)  # too many frames for morph targets
    path = write_glb(long, tmp_path / "long.glb")
    mesh = load_animated(path)
    same_frames(load_sequence(path), long)
    np.testing.assert_array_equal(mesh.vertices, np.stack(long.vertices))
    np.testing.assert_array_equal(mesh.faces, long.faces[0])
    assert len(load_animated(path, frames=23).vertices) == 23  # every eleventh frame
    np.testing.assert_array_equal(load_animated(path, frames=23).vertices[2], long.vertices[22])


@pytest.mark.parametrize("frame_count", [1, 2])
def test_short_sequences(tmp_path, frame_count):
    sequence = changing(frame_count, 8.0, empty=())
    found = load_sequence(write_glb(sequence, tmp_path / "a.glb"))
    same_frames(found, sequence)
    assert found.fps == 8


def test_texture_and_coordinates(tmp_path):
    random = np.random.default_rng(1)
    texture = random.integers(0, 256, (4, 6, 4), dtype=np.uint8)
    uv = random.random((42, 2), dtype=np.float32)
    for sequence in (waving(3, uv=uv, texture=texture), waving(1, uv=uv, texture=texture)):
        found = load_sequence(write_glb(sequence, tmp_path / "a.glb"))
        np.testing.assert_array_equal(found.texture, texture)
        np.testing.assert_allclose(found.uv, uv, atol=1e-7)


@pytest.mark.parametrize("make", [waving, changing])
def test_without_what_the_exporter_noted_the_keys_tell_the_rate(tmp_path, make):
    sequence = make(6, 12.5)
    document, rest = read_json(write_glb(sequence, tmp_path / "a.glb"))
    del document["asset"]["extras"]
    found = load_sequence(write_json(tmp_path / "b.glb", document, rest))
    same_frames(found, sequence)
    assert found.fps == pytest.approx(12.5, rel=1e-5) and found.settings == {} and found.name == "b"


@pytest.mark.parametrize("noted", [{"fps": 0, "frames": 6}, {"fps": "x"}, {"fps": 1e9, "frames": 6}, 5, {"frames": -1}])
def test_notes_that_do_not_fit_the_keys_are_not_believed(tmp_path, noted):
    document, rest = read_json(write_glb(waving(6, 12.5), tmp_path / "a.glb"))
    document["asset"]["extras"]["shapegen4d"] = noted
    found = load_sequence(write_json(tmp_path / "b.glb", document, rest))
    assert found.frame_count == 6 and found.fps == pytest.approx(12.5, rel=1e-5)


def test_nodes_that_are_seen_together_are_no_flip_book(tmp_path):
    file = triangle_file()
    file.document["scenes"] = [{"nodes": [0, 1]}]
    file.document["nodes"] = [{"mesh": 0}, {"mesh": 0}]
    shown, hidden = [1, 1, 1], [0, 0, 0]
    animate(file, 0, "scale", [0, 1, 2], np.float32([shown, shown, hidden]), "STEP")
    animate(file, 1, "scale", [0, 1, 2], np.float32([hidden, shown, shown]), "STEP")
    file.write(tmp_path / "both.glb")
    mesh = load_animated(tmp_path / "both.glb", fps=1)
    assert mesh.vertices.shape == (2, 6, 3)
    assert mesh.vertices.any(axis=2).sum(axis=1).tolist() == [2, 4]  # the corners not at the origin


def test_a_blinking_node_beside_others_is_no_flip_book(tmp_path):
    document, rest = read_json(write_glb(changing(3, 8.0, empty=()), tmp_path / "a.glb"))
    document["nodes"][0]["mesh"] = 0  # the parent now shows something all the time
    mesh = load_animated(write_json(tmp_path / "b.glb", document, rest), frames=3)
    shown = [len(np.unique(frame, axis=0)) for frame in mesh.vertices]
    assert mesh.vertices.shape[1] == 12 + sum(len(sphere(level)[0]) for level in range(3))
    assert shown[2] > shown[1]
