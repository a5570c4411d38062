"""The folder as written: names, manifest, materials; what trimesh reads; refusals, warnings, cancel, memory."""

from __future__ import annotations

import json
import os
import tracemalloc
import warnings

import numpy as np
import pytest
import trimesh
from PIL import Image

from shapegen4d_core.errors import Cancelled, InputError
from shapegen4d_core.export.mesh_folder import frame_names, write_mesh_folder
from shapegen4d_core.manifest import MANIFEST
from shapegen4d_core.sequence import MeshSequence
from tests.export.glb_reader import read_glb
from tests.export.shapes import EMPTY, changing, sphere, waving
from tests.export.test_glb_validator import validate

KINDS = ["obj", "ply", "glb"]


def textured(frame_count: int = 2, channels: int = 3) -> MeshSequence:
    """The waving sphere with random coordinates and pixels."""
    random = np.random.default_rng(0)
    texture = random.integers(0, 256, (4, 6, channels), dtype=np.uint8)
    return waving(frame_count, uv=random.random((42, 2), np.float32), texture=texture)


def test_names_sort_and_count_from_one():
    assert frame_names(3, "obj") == ("frame_0001.obj", "frame_0002.obj", "frame_0003.obj")
    names = frame_names(12345, "ply")
    assert names[0] == "frame_00001.ply" and names[-1] == "frame_12345.ply" and sorted(names) == list(names)


@pytest.mark.parametrize("kind", KINDS)
def test_the_manifest_says_what_is_there(tmp_path, kind):
    sequence = waving(3, 12.5, name="K\u00e4fer \u866b", settings={"seed": 7})
    path = write_mesh_folder(sequence, tmp_path / "a", kind=kind, extras={"prompt": "{}", "workflow": [1]})
    document = json.loads((path / MANIFEST).read_text(encoding="ascii"))
    assert document["prompt"] == "{}" and document["workflow"] == [1]
    ours = document["shapegen4d"]
    assert (ours["fps"], ours["frames"], ours["settings"]) == (12.5, 3, {"seed": 7})
    assert ours["name"] == "K\u00e4fer \u866b" and ours["version"] == 1
    assert {MANIFEST, *ours["files"], *ours["others"]} == set(os.listdir(path))


@pytest.mark.parametrize("kind", KINDS)
def test_every_frame_is_a_mesh_trimesh_opens(tmp_path, kind):
    sequence = changing(4, empty=(2,))
    path = write_mesh_folder(sequence, tmp_path / "a", kind=kind)
    for t, name in enumerate(frame_names(4, kind)):
        if t == 2:
            assert (path / name).stat().st_size > 0
            continue
        mesh = trimesh.load(path / name, force="mesh", process=False, maintain_order=True)
        np.testing.assert_array_equal(mesh.faces, sequence.faces[t])
        np.testing.assert_array_equal(np.float32(mesh.vertices), sequence.vertices[t])
        lengths = np.linalg.norm(mesh.vertices, axis=1, keepdims=True)
        np.testing.assert_allclose(mesh.vertex_normals, mesh.vertices / lengths, atol=0.05)


@pytest.mark.parametrize("kind", KINDS)
def test_trimesh_sees_coordinates_and_texture(tmp_path, kind):
    sequence = textured()
    path = write_mesh_folder(sequence, tmp_path / "a", kind=kind)
    mesh = trimesh.load(path / frame_names(2, kind)[1], force="mesh", process=False, maintain_order=True)
    np.testing.assert_allclose(mesh.visual.uv, sequence.uv, atol=1e-7)
    material = mesh.visual.material
    picture = material.baseColorTexture if kind == "glb" else material.image
    np.testing.assert_array_equal(np.asarray(picture), sequence.texture)


def test_nothing_moves_in_a_glb_and_open_ones_show_both_sides(tmp_path):
    flat = MeshSequence((np.float32([[0, 0, 0], [1, 0, 0], [0, 1, 0]]),), (np.int32([[0, 1, 2]]),), 8.0)
    for name, sequence, open_ in (("closed", textured(), False), ("open", flat, True)):
        glb = read_glb(write_mesh_folder(sequence, tmp_path / name, kind="glb") / "frame_0001.glb")
        assert "animations" not in glb.json and len(glb.json["nodes"]) == 1
        assert [material["doubleSided"] for material in glb.json["materials"]] == [open_]


def test_the_validator_finds_nothing_in_single_glbs(tmp_path):
    transparent = write_mesh_folder(textured(1, 4), tmp_path / "a", kind="glb", unlit=True)
    empty = write_mesh_folder(changing(3, empty=(1,)), tmp_path / "b", kind="glb", normals=False)
    for report in validate([*sorted(transparent.glob("*.glb")), *sorted(empty.glob("*.glb"))]):
        found = {message["code"] for message in report["issues"]["messages"]}
        assert found <= {"NODE_EMPTY", "IMAGE_NPOT_DIMENSIONS"}, report


def test_texture_and_material_are_stored_once(tmp_path):
    sequence = textured(3)
    path = write_mesh_folder(sequence, tmp_path / "a")
    assert sorted(os.listdir(path)) == sorted([*frame_names(3, "obj"), "material.mtl", "texture.png", MANIFEST])
    with Image.open(path / "texture.png") as picture:
        np.testing.assert_array_equal(np.asarray(picture), sequence.texture)
    assert "map_Kd texture.png" in (path / "material.mtl").read_text()


def test_every_obj_and_ply_is_ascii_where_it_is_text(tmp_path):
    sequence = waving(1, name="\u866b\nv 1 2 3")
    text = (write_mesh_folder(sequence, tmp_path / "a") / "frame_0001.obj").read_bytes()
    assert text.isascii() and text.count(b"\nv ") == len(sequence.vertices[0])
    head = (write_mesh_folder(sequence, tmp_path / "b", kind="ply") / "frame_0001.ply").read_bytes()
    assert head.partition(b"end_header")[0].isascii()


@pytest.mark.parametrize("kind", KINDS)
def test_normals_can_be_left_out(tmp_path, kind):
    with_them = write_mesh_folder(waving(1), tmp_path / "a", kind=kind) / f"frame_0001.{kind}"
    without = write_mesh_folder(waving(1), tmp_path / "b", kind=kind, normals=False) / f"frame_0001.{kind}"
    assert without.stat().st_size < with_them.stat().st_size
    said = {"obj": b"vn ", "ply": b"property float nx", "glb": b"NORMAL"}[kind]
    assert said in with_them.read_bytes() and said not in without.read_bytes()


def test_unlit_materials(tmp_path):
    lit, unlit = (write_mesh_folder(textured(), tmp_path / str(flag), unlit=flag) for flag in (False, True))
    assert "illum 1" in (lit / "material.mtl").read_text() and "illum 0" in (unlit / "material.mtl").read_text()
    write_mesh_folder(textured(), tmp_path / "ply", kind="ply", unlit=True)  # no material, so neither
    glb = write_mesh_folder(textured(), tmp_path / "glb", kind="glb", unlit=True) / "frame_0001.glb"
    assert b"KHR_materials_unlit" in glb.read_bytes()


@pytest.mark.parametrize(
    ("sequence", "options", "said"),
    [
        (waving(2), {"kind": "fbx"}, "kind is 'fbx'; accepted are obj, ply and glb"),
        (waving(2), {"unlit": True}, "has none; switch it off"),
        (waving(2), {"extras": {"shapegen4d": 1}}, "use another name"),
        (waving(2), {"extras": {"x": {1}}}, "cannot be written as JSON"),
        (waving(2), {"extras": {"x": float("nan")}}, "cannot be written as JSON"),
    ],
)
def test_refusals_leave_nothing(tmp_path, sequence, options, said):
    with pytest.raises(InputError, match=said):
        write_mesh_folder(sequence, tmp_path / "a", **options)
    assert os.listdir(tmp_path) == []


def test_folders_of_others_are_refused_before_any_work(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "thesis.doc").touch()
    steps = []
    with pytest.raises(InputError, match="thesis.doc"):
        write_mesh_folder(waving(2), tmp_path / "a", progress=lambda *step: steps.append(step))
    assert steps == [] and os.listdir(tmp_path / "a") == ["thesis.doc"]


@pytest.mark.parametrize("kind", KINDS)
def test_an_earlier_sequence_is_replaced_whole(tmp_path, kind):
    write_mesh_folder(textured(5), tmp_path / "a")
    path = write_mesh_folder(waving(2), tmp_path / "a", kind=kind)
    assert sorted(os.listdir(path)) == [*frame_names(2, kind), MANIFEST] and os.listdir(tmp_path) == ["a"]


def test_what_a_format_cannot_hold_is_said(tmp_path):
    clear = textured(channels=4)
    points = MeshSequence((sphere()[0], sphere()[0]), (sphere()[1], EMPTY[1]), 8.0)
    with pytest.warns(UserWarning, match="show the texture opaque"):
        write_mesh_folder(clear, tmp_path / "a")
    with pytest.warns(UserWarning, match="those of frame 2 .1 such frames. are left out"):
        write_mesh_folder(points, tmp_path / "b", kind="glb")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        write_mesh_folder(clear, tmp_path / "c", kind="glb")
        write_mesh_folder(points, tmp_path / "d")
        write_mesh_folder(changing(3, empty=(1,)), tmp_path / "e", kind="glb")


@pytest.mark.parametrize("kind", KINDS)
def test_cancel_keeps_the_old_folder_and_leaves_nothing_else(tmp_path, kind):
    write_mesh_folder(waving(1), tmp_path / "a", kind="ply")
    steps = []

    def check() -> None:
        if len(steps) == 3:
            raise Cancelled

    with pytest.raises(Cancelled):
        progress = lambda step, total, preview=None: steps.append((step, total))  # noqa: E731
        write_mesh_folder(waving(5), tmp_path / "a", kind=kind, progress=progress, check=check)
    assert steps == [(1, 5), (2, 5), (3, 5)] and os.listdir(tmp_path) == ["a"]
    assert sorted(os.listdir(tmp_path / "a")) == ["frame_0001.ply", MANIFEST]


@pytest.mark.parametrize("kind", ["obj", "ply"])
def test_cancel_inside_one_large_frame(tmp_path, kind):
    """There is a look at whether to cancel every 65536 rows, so a seventh one before 400 000 are written."""
    vertices = np.zeros((400_000, 3), np.float32)
    looks = []

    def check() -> None:
        looks.append(1)
        if len(looks) == 7:
            raise Cancelled

    with pytest.raises(Cancelled):
        cloud = MeshSequence((vertices,), (EMPTY[1],), 8.0)
        write_mesh_folder(cloud, tmp_path / "a", kind=kind, normals=False, check=check)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("kind", KINDS)
def test_memory_does_not_grow_with_the_frames(tmp_path, kind):
    """300 PLYs (90 of the slower ones) need no more than 30: 2 kB of vertices per frame would be seen."""
    many = 300 if kind == "ply" else 90
    vertices, faces = sphere(2)
    peaks = []
    for frame_count in (many, 30, many):  # the first only fills what the interpreter keeps
        frames = tuple(vertices * np.float32(1 + frame / 300) for frame in range(frame_count))
        sequence = MeshSequence(frames, (faces,) * frame_count, 24.0)
        assert sequence.fixed_topology
        tracemalloc.start()
        write_mesh_folder(sequence, tmp_path / "a", kind=kind, normals=False)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[2] - peaks[1] < (many - 30) * 800 < (many - 30) * vertices.nbytes / 2
