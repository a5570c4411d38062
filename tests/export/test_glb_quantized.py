"""Whole numbers instead of floats: how wrong positions, normals and coordinates may be, and how much smaller."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from shapegen4d_core.export import write_glb
from shapegen4d_core.importing import load_sequence
from shapegen4d_core.sequence import MeshSequence
from tests.export.glb_reader import read_glb
from tests.export.shapes import changing, sphere, waving

SHORT, BYTE, FLOAT = 5122, 5120, 5126


def longest_side(sequence: MeshSequence) -> float:
    low, high = sequence.bounds().astype(np.float64)
    return float((high - low).max())


@pytest.mark.parametrize("scale", [1e-20, 1.0, 1e30])
@pytest.mark.parametrize("make", [waving, changing])
def test_positions_are_half_a_step_wrong_at_most(tmp_path, make, scale):
    plain = make(7)
    moved = tuple(((frame + [3, -1, 0.5]) * scale).astype(np.float32) for frame in plain.vertices)
    sequence = MeshSequence(moved, plain.faces, 24.0)
    path = write_glb(sequence, tmp_path / "a.glb", quantize=True)
    found, worst = load_sequence(path), 0.0
    for ours, theirs in zip(found.vertices, sequence.vertices):
        worst = max([worst, *np.abs(ours.astype(np.float64) - theirs).ravel()])
    step = longest_side(sequence) / 32767
    assert 0.1 * step < worst < 0.55 * step
    document = read_glb(path).json
    assert document["extensionsUsed"] == document["extensionsRequired"] == ["KHR_mesh_quantization"]


def test_normals_stay_right_where_they_turn_over(tmp_path):
    """A turn by 180 degrees changes a normal by 2, which 8-bit fractions cannot hold: such frames keep floats."""
    vertices, faces = sphere(2)
    turns = [np.diag(row).astype(np.float32) for row in ([1, 1, 1], [-1, 1, -1], [1, 1, 1])]
    slight = np.float32([[0.98, 0.2, 0], [-0.2, 0.98, 0], [0, 0, 1]])
    frames = (*(vertices @ turn for turn in turns), vertices @ slight)
    glb = read_glb(write_glb(MeshSequence(frames, (faces,) * 4, 8.0), tmp_path / "a.glb", quantize=True))
    for frame, expected in enumerate(frames):
        normals = glb.at(frame / 8)[0]["normals"]
        normals = normals / np.linalg.norm(normals, axis=1, keepdims=True)
        expected = expected / np.linalg.norm(expected, axis=1, keepdims=True)
        angles = np.degrees(np.arccos((normals * expected).sum(axis=1).clip(-1, 1)))
        assert angles.max() < 2
    targets = glb.json["meshes"][0]["primitives"][0]["targets"]
    kinds = [glb.json["accessors"][target["NORMAL"]]["componentType"] for target in targets]
    assert kinds == [FLOAT, BYTE, BYTE]


def test_coordinates_inside_the_texture_take_16_bits_and_others_stay(tmp_path):
    plain, random = waving(), np.random.default_rng(0)
    uv = random.random((42, 2), dtype=np.float32)
    for shift, kind, tolerance in (([0, 0], 5123, 0.5001 / 65535), ([1, 0], FLOAT, 1e-6), ([0, 1], FLOAT, 1e-6)):
        sequence = MeshSequence(plain.vertices, plain.faces, 24.0, uv=uv + np.float32(shift))
        path = write_glb(sequence, tmp_path / "a.glb", quantize=True)
        glb = read_glb(path)
        accessor = glb.json["meshes"][0]["primitives"][0]["attributes"]["TEXCOORD_0"]
        assert glb.json["accessors"][accessor]["componentType"] == kind
        assert np.abs(load_sequence(path).uv - sequence.uv).max() <= tolerance


def test_it_is_much_smaller(tmp_path):
    vertices, faces = sphere(4)
    frames = tuple((vertices * [1 + t / 20, 1 - t / 40, 1.1]).astype(np.float32) for t in range(16))
    sequence = MeshSequence(frames, (faces,) * 16, 24.0)
    sizes = [write_glb(sequence, tmp_path / "a.glb", quantize=flag).stat().st_size for flag in (False, True)]
    assert sizes[1] < 0.56 * sizes[0]  # 12 bytes instead of 24 per vertex and frame, and the faces


def test_a_point_has_no_extent_and_still_a_place(tmp_path):
    vertices = np.full((3, 3), 2.5, np.float32)
    sequence = MeshSequence((vertices,) * 2, (np.int32([[0, 1, 2]]),) * 2, 8.0)
    found = load_sequence(write_glb(sequence, tmp_path / "a.glb", quantize=True))
    np.testing.assert_array_equal(found.vertices[1], vertices)


def test_types_of_the_accessors(tmp_path):
    glb = read_glb(write_glb(waving(3), tmp_path / "a.glb", quantize=True))
    primitive = glb.json["meshes"][0]["primitives"][0]
    for shape in (primitive["attributes"], *primitive["targets"]):
        kinds = {name: glb.json["accessors"][shape[name]] for name in ("POSITION", "NORMAL")}
        assert kinds["POSITION"]["componentType"] == SHORT and "normalized" not in kinds["POSITION"]
        assert kinds["NORMAL"]["componentType"] == BYTE and kinds["NORMAL"]["normalized"] is True
    for view in glb.json["bufferViews"]:
        assert view.get("byteStride", 4) % 4 == 0


def test_the_switch_is_off_unless_asked_for(tmp_path):
    assert "extensionsUsed" not in read_glb(write_glb(waving(), tmp_path / "a.glb")).json
    plain = dataclasses.replace(waving(3), name="x")
    assert "scale" not in read_glb(write_glb(plain, tmp_path / "b.glb")).json["nodes"][0]


def test_a_vertex_may_cross_the_whole_box(tmp_path):
    low, high = np.float32([[-3, 0, 0], [5, 1, 0], [0, 1, 1]]), np.float32([[5, 0, 0], [-3, 1, 0], [0, 1, 1]])
    sequence = MeshSequence((low, high, low), (np.int32([[0, 1, 2]]),) * 3, 8.0)
    found = load_sequence(write_glb(sequence, tmp_path / "a.glb", quantize=True))
    np.testing.assert_allclose(np.stack(found.vertices), np.stack(sequence.vertices), atol=0.51 * 8 / 32767)
