"""Any topology becomes a flip book: exactly one frame visible at any time, empty frames, keys, length."""

from __future__ import annotations

import numpy as np
import pytest

from shapegen4d_core.export import write_glb
from shapegen4d_core.sequence import MeshSequence
from tests.export.glb_reader import read_glb
from tests.export.shapes import changing, sphere, waving


def test_exactly_the_right_frame_is_visible_at_any_time(tmp_path):
    sequence = changing(frame_count=7, fps=12.5, empty=(3,))
    glb = read_glb(write_glb(sequence, tmp_path / "flip.glb"))
    for position in [share + frame for frame in range(7) for share in (0, 0.9)] + [7]:
        frame = min(int(position), 6)
        shown = glb.at(position / 12.5)
        if frame == 3:
            assert shown == []
            continue
        assert len(shown) == 1
        np.testing.assert_array_equal(shown[0]["positions"], sequence.vertices[frame])
        np.testing.assert_array_equal(shown[0]["faces"], sequence.faces[frame])


@pytest.mark.parametrize("empty", [(), (0,), (6,), (0, 1, 2, 3, 4, 5)])
def test_length_keys_and_tree(tmp_path, empty):
    sequence = changing(frame_count=7, fps=12.5, empty=empty, name="flip")
    glb = read_glb(write_glb(sequence, tmp_path / "flip.glb"))
    assert glb.duration() == pytest.approx(7 / 12.5, rel=1e-6)
    assert all(len(times) <= 10 for times in glb.key_times())
    assert all(times[0] == 0 for times in glb.key_times())
    assert {sampler["interpolation"] for sampler in glb.json["animations"][0]["samplers"]} == {"STEP"}
    root, *frames = glb.json["nodes"]
    assert root == {"name": "flip", "children": [1, 2, 3, 4, 5, 6, 7]}
    assert glb.names()[1:] == [f"frame_000{number}" for number in range(1, 8)]
    assert [index for index, node in enumerate(frames) if "mesh" not in node] == list(empty)


def test_without_animation_the_first_filled_frame_shows_alone(tmp_path):
    glb = read_glb(write_glb(changing(empty=(0, 1)), tmp_path / "flip.glb"))
    visible = [name for name, node in zip(glb.names()[1:], glb.json["nodes"][1:]) if "scale" not in node]
    assert visible == ["frame_0003"]


def test_normals_are_unit_and_point_outwards(tmp_path):
    sequence = changing(empty=())
    glb = read_glb(write_glb(sequence, tmp_path / "flip.glb"))
    for frame in range(7):
        (shown,) = glb.at((frame + 0.5) / 12.5)
        directions = shown["positions"] / np.linalg.norm(shown["positions"], axis=1, keepdims=True)
        np.testing.assert_allclose(np.linalg.norm(shown["normals"], axis=1), 1, atol=1e-6)
        assert (shown["normals"] * directions).sum(axis=1).min() > 0.99


def test_one_open_frame_makes_the_material_double_sided(tmp_path):
    closed = changing(empty=(3,))
    faces = (*closed.faces[:4], closed.faces[4][1:], *closed.faces[5:])
    opened = MeshSequence(closed.vertices, faces, 12.5)
    for sequence, expected in ((closed, False), (opened, True)):
        glb = read_glb(write_glb(sequence, tmp_path / "flip.glb"))
        assert glb.json["materials"][0]["doubleSided"] is expected


def test_one_frame_lasts_one_frame_in_either_interpolation(tmp_path):
    for interpolation in ("STEP", "LINEAR"):
        glb = read_glb(write_glb(waving(frame_count=1), tmp_path / "one.glb", interpolation=interpolation))
        assert glb.duration() == pytest.approx(1 / 24)
        assert len(glb.at(0)) == len(glb.at(1 / 24)) == 1


def test_large_meshes_get_32_bit_indices(tmp_path):
    vertices, faces = sphere(2)
    many = np.concatenate([vertices, np.zeros((65535 - len(vertices), 3), np.float32)])
    sequence = MeshSequence((many[:-1], many), (faces, faces[::-1].copy()), 24.0)
    glb = read_glb(write_glb(sequence, tmp_path / "large.glb"))
    indices = [mesh["primitives"][0]["indices"] for mesh in glb.json["meshes"]]
    assert [glb.json["accessors"][index]["componentType"] for index in indices] == [5123, 5125]
    np.testing.assert_array_equal(glb.at(0.9 / 24)[0]["faces"], faces)
    np.testing.assert_array_equal(glb.at(1.9 / 24)[0]["faces"], faces[::-1])


def test_points_without_faces_are_said_to_be_left_out(tmp_path):
    points, faces = sphere()
    loose = MeshSequence((points, points), (np.zeros((0, 3), np.int32), faces), 8.0)
    with pytest.warns(UserWarning, match="those of frame 1 .1 such frames. are left out"):
        write_glb(loose, tmp_path / "a.glb")
