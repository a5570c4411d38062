"""Fixed topology becomes morph targets: positions, normals, length, keys, names, materials."""

from __future__ import annotations

import numpy as np
import pytest

from shapegen4d_core.export import write_glb
from shapegen4d_core.sequence import MeshSequence
from tests.export.glb_reader import read_glb
from tests.export.shapes import sphere, waving


@pytest.mark.parametrize("interpolation", ["STEP", "LINEAR"])
def test_every_frame_is_read_back_and_the_last_one_is_held(tmp_path, interpolation):
    sequence = waving(frame_count=6, fps=24.0)
    glb = read_glb(write_glb(sequence, tmp_path / "wave.glb", interpolation=interpolation))
    for frame, expected in enumerate(sequence.vertices):
        (shown,) = glb.at(frame / 24)
        np.testing.assert_allclose(shown["positions"], expected, atol=2e-7)
        np.testing.assert_array_equal(shown["faces"], sequence.faces[frame])
    for seconds in (5.5 / 24, 6 / 24):
        np.testing.assert_allclose(glb.at(seconds)[0]["positions"], sequence.vertices[5], atol=2e-7)
    assert glb.duration() == pytest.approx(sequence.duration, rel=1e-6)
    assert [len(times) for times in glb.key_times()] == [7]
    (sampler,) = glb.json["animations"][0]["samplers"]
    assert sampler["interpolation"] == interpolation


def test_between_frames_step_holds_and_linear_blends(tmp_path):
    sequence = waving(frame_count=4, fps=10.0)
    between = 1.25 / 10
    held = read_glb(write_glb(sequence, tmp_path / "step.glb")).at(between)[0]["positions"]
    np.testing.assert_allclose(held, sequence.vertices[1], atol=2e-7)
    blended = read_glb(write_glb(sequence, tmp_path / "linear.glb", interpolation="LINEAR")).at(between)[0]
    expected = 0.75 * sequence.vertices[1] + 0.25 * sequence.vertices[2]
    np.testing.assert_allclose(blended["positions"], expected, atol=1e-6)


def test_normals_follow_every_frame(tmp_path):
    sequence = waving()
    glb = read_glb(write_glb(sequence, tmp_path / "wave.glb"))
    for frame, vertices in enumerate(sequence.vertices):
        axes = np.abs(vertices).max(axis=0)  # the frame is nearly an ellipsoid with these half axes
        expected = vertices / axes**2
        expected /= np.linalg.norm(expected, axis=1, keepdims=True)
        normals = glb.at(frame / 24)[0]["normals"]
        np.testing.assert_allclose(np.linalg.norm(normals, axis=1), 1, atol=1e-5)
        assert (normals * expected).sum(axis=1).min() > 0.98


def test_given_normals_are_kept_and_made_unit(tmp_path):
    plain = waving()
    normals = tuple(np.tile(np.float32([0, 3 if i else 0, 4]), (42, 1)) for i in range(6))
    sequence = MeshSequence(plain.vertices, plain.faces, 24.0, normals=normals)
    glb = read_glb(write_glb(sequence, tmp_path / "wave.glb"))
    np.testing.assert_allclose(glb.at(0)[0]["normals"], np.tile([0, 0, 1], (42, 1)), atol=1e-7)
    np.testing.assert_allclose(glb.at(3 / 24)[0]["normals"], np.tile([0, 0.6, 0.8], (42, 1)), atol=1e-6)


def test_names_bounds_and_one_channel(tmp_path):
    sequence = waving(frame_count=3, name="F\u00fcchsin \u72d0")
    glb = read_glb(write_glb(sequence, tmp_path / "wave.glb"))
    (node,), (mesh,) = glb.json["nodes"], glb.json["meshes"]
    assert node["name"] == mesh["name"] == "F\u00fcchsin \u72d0"
    assert mesh["extras"]["targetNames"] == ["frame_0002", "frame_0003"]
    (channel,) = glb.json["animations"][0]["channels"]
    assert channel["target"] == {"node": 0, "path": "weights"}
    primitive = mesh["primitives"][0]
    for index in [shape["POSITION"] for shape in (primitive["attributes"], *primitive["targets"])]:
        accessor, values = glb.json["accessors"][index], glb.accessor(index)
        np.testing.assert_array_equal(np.float32(accessor["min"]), values.min(axis=0))
        np.testing.assert_array_equal(np.float32(accessor["max"]), values.max(axis=0))


def test_seams_of_the_texture_leave_no_seam_in_normals_and_count_as_closed(tmp_path):
    vertices, faces = sphere()
    corners = vertices[faces].reshape(-1, 3)  # every face has its own three vertices, as behind an unwrap
    faces = np.arange(len(corners), dtype=np.int32).reshape(-1, 3)
    uv = np.zeros((len(corners), 2), np.float32)
    frames = (corners, (corners * np.float32([2, 1, 1])).astype(np.float32))
    sewn = read_glb(write_glb(MeshSequence(frames, (faces, faces), 8.0, uv=uv), tmp_path / "sewn.glb"))
    assert sewn.json["materials"][0]["doubleSided"] is False
    normals = sewn.at(0)[0]["normals"]
    assert (normals * corners).sum(axis=1).min() > 0.99
    loose = read_glb(write_glb(MeshSequence(frames, (faces, faces), 8.0), tmp_path / "loose.glb"))
    assert loose.json["materials"][0]["doubleSided"] is True


def test_surfaces_that_touch_only_once_are_not_sewn(tmp_path):
    sheets = np.float32([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 0], [1, 0, 0], [0, 0, 1]])
    faces, uv = np.int32([[0, 1, 2], [3, 4, 5]]), np.zeros((6, 2), np.float32)
    apart = sheets + np.float32([[0, 0, 0]] * 3 + [[0, -1, 0]] * 3)
    sewn = [[0, -(0.5**0.5), 0.5**0.5]] * 2
    loose = [[0, 0, 1], [0, -1, 0]]
    for frames, expected in (((sheets, sheets), sewn), ((sheets, apart), loose), ((apart, sheets), loose)):
        sequence = MeshSequence(frames, (faces,) * 2, 8.0, uv=uv)
        glb = read_glb(write_glb(sequence, tmp_path / "a.glb"))
        np.testing.assert_allclose(glb.at(0)[0]["normals"][[0, 3]], expected, atol=1e-6)
