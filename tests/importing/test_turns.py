"""Files whose meshes take turns: which are read as one sequence, and which as meshes side by side."""

from __future__ import annotations

import numpy as np
import pytest

from shapegen4d_core.errors import InputError
from shapegen4d_core.export import glb_morph, write_glb
from shapegen4d_core.importing import animation, container, load_animated, load_sequence
from shapegen4d_core.importing.animation import Poses
from tests.export.shapes import changing, waving
from tests.importing.scenes import read_json, write_json


@pytest.fixture
def segments(tmp_path, monkeypatch) -> tuple[dict, bytes]:
    """A sphere in 9 frames as three morph meshes of at most 4 targets that take turns, under a moving root."""
    monkeypatch.setattr(glb_morph, "MOST_TARGETS", 4)
    path = write_glb(waving(10, 8.0), tmp_path / "a.glb", interpolation="LINEAR", root_motion="translation")
    document, rest = read_json(path)
    assert len(document["meshes"]) == 3
    return document, rest


def channel_to(document: dict, path: str) -> dict:
    return next(c for c in document["animations"][0]["channels"] if c["target"]["path"] == path)


def test_segments_are_one_mesh_sampled_at_any_time(segments, tmp_path):
    path = write_json(tmp_path / "b.glb", *segments)
    whole = load_animated(path)
    assert whole.vertices.shape == (10, 42, 3)
    np.testing.assert_allclose(whole.vertices, np.stack(waving(10).vertices), atol=3e-7)
    twice = load_animated(path, frames=20)
    np.testing.assert_allclose(twice.vertices[::2], whole.vertices, atol=1e-6)
    middles = (whole.vertices[1:] + whole.vertices[:-1]) / 2
    np.testing.assert_allclose(twice.vertices[1:-1:2], middles, atol=1e-6)


def test_without_notes_the_rate_is_that_of_all_keys(segments, tmp_path):
    document, rest = segments
    del document["asset"]["extras"]
    found = load_sequence(write_json(tmp_path / "b.glb", document, rest))
    assert found.frame_count == 10 and found.fps == pytest.approx(8, rel=1e-5)


def test_morph_weights_of_a_node_that_takes_no_turn_make_it_something_else(segments, tmp_path):
    document, rest = segments
    turning = {c["target"]["node"] for c in document["animations"][0]["channels"] if c["target"]["path"] == "scale"}
    kept = [c for c in document["animations"][0]["channels"] if c["target"] != {"node": max(turning), "path": "scale"}]
    document["animations"][0]["channels"] = kept
    assert load_animated(write_json(tmp_path / "b.glb", document, rest)).vertices.shape[1] == 3 * 42


def test_a_page_that_travels_by_itself_makes_it_something_else(segments, tmp_path):
    document, rest = segments
    channel_to(document, "translation")["target"]["node"] = document["nodes"][0]["children"][0]
    assert load_animated(write_json(tmp_path / "b.glb", document, rest)).vertices.shape[1] == 3 * 42


def test_turns_that_blend_make_it_something_else(segments, tmp_path):
    document, rest = segments
    samplers = document["animations"][0]["samplers"]
    samplers[channel_to(document, "scale")["sampler"]]["interpolation"] = "LINEAR"
    assert load_animated(write_json(tmp_path / "b.glb", document, rest)).vertices.shape[1] == 3 * 42


def test_flip_books_with_key_times_of_their_own_are_read_too(tmp_path):
    """As our exporter wrote them before neighbours shared their keys: only the keys at which a node changes."""
    sequence = changing(5, 8.0, empty=())
    document, rest = read_json(write_glb(sequence, tmp_path / "a.glb"))
    accessors, samplers = document["accessors"], document["animations"][0]["samplers"]
    view = {"buffer": 0, "byteOffset": document["buffers"][0]["byteLength"]}
    values = np.float32([0, 0, 0, 1, 1, 1, 0, 0, 0])
    times = [np.float32([0, frame / 8, (frame + 1) / 8]) for frame in range(1, 4)]
    added = np.concatenate([values, *times]).tobytes()
    document["bufferViews"].append({**view, "byteLength": len(added)})
    number = len(document["bufferViews"]) - 1
    common = {"bufferView": number, "componentType": 5126, "count": 3}
    accessors.append({**common, "type": "VEC3"})
    output = len(accessors) - 1
    for frame in range(1, 4):
        accessors.append({**common, "type": "SCALAR", "byteOffset": 36 + 12 * (frame - 1), "min": [0], "max": [1]})
        samplers[frame].update(input=len(accessors) - 1, output=output)
    document["buffers"][0]["byteLength"] += len(added)
    length = int.from_bytes(rest[:4], "little") + len(added)
    found = load_sequence(write_json(tmp_path / "b.glb", document, length.to_bytes(4, "little") + rest[4:] + added))
    for ours, theirs in zip(found.vertices, sequence.vertices):
        np.testing.assert_array_equal(ours, theirs)
    assert found.frame_count == 5


def test_only_travel_is_sampled_beforehand(segments, tmp_path, monkeypatch):
    """10 frames of a translation are 30 numbers; weights and turns, most of a long file, are looked up one by one."""
    monkeypatch.setattr(animation, "_VALUES_LIMIT", 30)
    assert load_animated(write_json(tmp_path / "b.glb", *segments)).frame_count == 10
    monkeypatch.setattr(animation, "_VALUES_LIMIT", 29)
    with pytest.raises(InputError, match="30 values"):
        load_animated(tmp_path / "b.glb")


def test_pages_below_other_nodes_stand_where_these_put_them(tmp_path):
    """Two nodes above the pages, one with a matrix: positions are those of the whole graph."""
    sequence = changing(4, 8.0, empty=(1,))
    document, rest = read_json(write_glb(sequence, tmp_path / "a.glb", root_motion="translation"))
    turned = [0, 1, 0, 0, -1, 0, 0, 0, 0, 0, 1, 0, 5, 6, 7, 1]  # x to y, y to -x, then a step
    document["nodes"].append({"children": [0], "matrix": turned})
    document["nodes"].append({"children": [len(document["nodes"]) - 1], "scale": [2, 2, 2]})
    document["scenes"][0]["nodes"] = [len(document["nodes"]) - 1]
    found = load_sequence(write_json(tmp_path / "b.glb", document, rest))
    for ours, theirs in zip(found.vertices, sequence.vertices):
        expected = 2 * (np.stack([-theirs[:, 1], theirs[:, 0], theirs[:, 2]], axis=1) + [5, 6, 7])
        np.testing.assert_allclose(ours, expected, atol=1e-5)


def test_pages_do_not_cost_what_all_pages_cost(tmp_path, monkeypatch):
    """Lists of thousands of entries are checked once, and one page is placed without the others: no time squared."""
    path, checked = write_glb(changing(40, 24.0, empty=()), tmp_path / "a.glb"), []
    plain = container.items
    monkeypatch.setattr(container, "items", lambda entry, key, where: checked.append(key) or plain(entry, key, where))
    monkeypatch.delattr(Poses, "world")
    assert load_sequence(path).frame_count == 40
    assert len(checked) == len(set(checked))


def test_a_page_that_has_no_rotation_is_named(tmp_path):
    document, rest = read_json(write_glb(changing(4, 8.0, empty=()), tmp_path / "a.glb"))
    document["nodes"][3]["rotation"] = [0, 0, 0, 0]
    with pytest.raises(InputError, match="node 3 has a rotation of length 0"):
        load_sequence(write_json(tmp_path / "b.glb", document, rest))
