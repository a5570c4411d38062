"""Folders of one mesh per frame: ours come back exactly, others' in the order of their numbers."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np
import pytest
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from shapegen4d_core.errors import Cancelled, InputError
from shapegen4d_core.export import write_glb
from shapegen4d_core.export.mesh_folder import write_mesh_folder
from shapegen4d_core.importing.mesh_folder import natural_order, read_mesh_folder
from shapegen4d_core.manifest import MANIFEST
from shapegen4d_core.sequence import MeshSequence
from tests.export.shapes import changing, sphere, waving
from tests.test_sequence import assert_same_meshes

_NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


@st.composite
def sequences(draw) -> MeshSequence:
    """1 to 12 frames of random triangles at scales from 1e-40 to 1e38, fixed or not, some empty, some without faces."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    frame_count, fixed = draw(st.sampled_from([1, 2, 5, 12])), draw(st.booleans())
    scale = 10.0 ** draw(st.integers(-40, 37))
    sizes = [draw(st.sampled_from([(0, 0), (3, 0), (3, 1), (8, 11)])) for _ in range(1 if fixed else frame_count)]
    sizes = sizes * frame_count if fixed else sizes
    vertices = [(random.uniform(-9, 9, (rows, 3)) * scale).astype(np.float32) for rows, _ in sizes]
    faces = [random.integers(0, max(rows, 1), (count, 3), dtype=np.int32) for rows, count in sizes]
    faces = [faces[0]] * frame_count if fixed else faces
    fields = {"name": draw(_NAMES), "settings": {"name": draw(_NAMES), "seed": draw(st.integers())}}
    if fixed and sizes[0][0] and draw(st.booleans()):
        fields["uv"] = random.uniform(-2, 3, (sizes[0][0], 2)).astype(np.float32)
        if draw(st.booleans()):
            fields["texture"] = random.integers(0, 256, (3, 5, draw(st.sampled_from([3, 4]))), dtype=np.uint8)
    if draw(st.booleans()):
        fields["normals"] = tuple(np.tile(np.float32([0, 0, 1]), (len(frame), 1)) for frame in vertices)
    return MeshSequence(tuple(vertices), tuple(faces), draw(st.floats(1e-3, 1e6)), **fields)


@pytest.mark.filterwarnings("ignore:OBJ has no agreed transparency")
@settings(max_examples=60, deadline=None)
@given(sequences(), st.sampled_from(["obj", "ply"]))
def test_round_trip_is_exact(sequence, kind):
    with tempfile.TemporaryDirectory() as folder:
        path = write_mesh_folder(sequence, Path(folder) / "\u00e5 b", kind=kind)
        assert_same_meshes(read_mesh_folder(path), sequence)


@pytest.mark.parametrize("sequence", [waving(3, settings={"seed": 1}), changing(4, empty=(0, 2), name="\u866b")])
def test_round_trip_of_glbs(tmp_path, sequence):
    found = read_mesh_folder(write_mesh_folder(sequence, tmp_path / "a", kind="glb"))
    assert_same_meshes(found, sequence)


def test_textured_glbs_share_one_texture(tmp_path):
    random = np.random.default_rng(0)
    texture, uv = random.integers(0, 256, (4, 6, 3), dtype=np.uint8), random.random((42, 2), np.float32)
    found = read_mesh_folder(write_mesh_folder(waving(3, uv=uv, texture=texture), tmp_path / "a", kind="glb"))
    np.testing.assert_array_equal(found.texture, texture)
    np.testing.assert_allclose(found.uv, uv, atol=1e-7)


@pytest.mark.parametrize("kind", ["obj", "ply", "off", "stl", "glb"])
def test_folders_of_others_in_natural_order(tmp_path, kind):
    sequence = changing(3, empty=())
    folder = tmp_path / "K\u00e4fer"
    folder.mkdir()
    for t in (2, 0, 1):
        mesh = trimesh.Trimesh(sequence.vertices[t], sequence.faces[t], process=False)
        mesh.export(folder / f"mesh{t + 9}.{kind}")  # 9, 10, 11
    (folder / f"._mesh1.{kind}").write_bytes(b"what a Mac leaves behind")
    (folder / "notes.txt").touch()
    found = read_mesh_folder(folder)
    assert (found.fps, found.name, found.frame_count) == (24.0, "K\u00e4fer", 3)
    assert read_mesh_folder(folder, 12).fps == 12
    for t in range(3):
        expected = sequence.vertices[t][sequence.faces[t]]
        np.testing.assert_allclose(found.vertices[t][found.faces[t]], expected, atol=1e-6)


def test_the_folder_one_stands_in_has_a_name(tmp_path, monkeypatch):
    monkeypatch.chdir(obj_frames(tmp_path / "walk", [TRIANGLE]))
    assert read_mesh_folder(".").name == "walk"


@pytest.mark.parametrize("content", [b"", bytes(80) + b"\xff\xff\xff\x7f" + bytes(50), b"solid a\nfacet normal 0 0"])
@pytest.mark.parametrize("guesses", [True, False])
def test_an_stl_that_ends_early_is_no_empty_frame(tmp_path, content, guesses, monkeypatch):
    if not guesses:
        monkeypatch.setitem(sys.modules, "charset_normalizer", None)  # trimesh asks it about bytes that are no text
    (tmp_path / "1.stl").write_bytes(content)
    with pytest.raises(InputError, match="1.stl: it is (damaged or has no faces|not a readable STL)"):
        read_mesh_folder(tmp_path)


def test_natural_order():
    names = ["a9", "a10", "a010", "b1", "1x", "x\u00b2", "2" * 5000 + "y", ""]
    ordered = [path.stem for path in sorted((Path(f"{name}.obj") for name in names), key=natural_order)]
    assert ordered.index("a9") < ordered.index("a010") < ordered.index("a10") < ordered.index("b1")


def test_faces_of_one_topology_are_one_array_and_the_rate_can_be_given(tmp_path):
    path = write_mesh_folder(waving(4), tmp_path / "a", kind="ply")
    found = read_mesh_folder(path, 5.0)
    assert found.fps == 5 and all(frame is found.faces[0] for frame in found.faces)


def obj_frames(folder: Path, texts: list[str]) -> Path:
    folder.mkdir()
    for number, text in enumerate(texts):
        (folder / f"{number}.obj").write_text(text)
    return folder


TRIANGLE = "v 0 0 0\nv 1 0 0\nv 0 1 0\nvt 0 0\nvt 1 0\nvt 0 1\nf 1/1 2/2 3/3\n"


def test_coordinates_that_differ_between_frames_are_left_out_with_a_warning(tmp_path):
    folder = obj_frames(tmp_path / "a", [TRIANGLE, TRIANGLE.replace("vt 1 0", "vt 0.5 0")])
    with pytest.warns(UserWarning, match="texture coordinates in .* differ between frames"):
        assert read_mesh_folder(folder).uv is None


def test_textures_that_differ_between_frames_are_left_out_with_a_warning(tmp_path):
    folder = obj_frames(tmp_path / "a", [f"mtllib {n}.mtl\nusemtl m\n{TRIANGLE}" for n in (1, 2)])
    for number in (1, 2):
        (folder / f"{number}.mtl").write_text(f"newmtl m\nmap_Kd {number}.png\n")
        Image.new("RGB", (2, 2)).save(folder / f"{number}.png")
    with pytest.warns(UserWarning, match="textures in .* differ between frames"):
        found = read_mesh_folder(folder)
    assert found.texture is None and found.uv is not None


def test_a_manifest_of_somebody_else_is_no_hindrance(tmp_path):
    folder = obj_frames(tmp_path / "a", [TRIANGLE])
    (folder / MANIFEST).write_text('{"cuts": [1, 2]}')
    assert read_mesh_folder(folder).frame_count == 1


def edit(folder: Path, **fields) -> None:
    document = json.loads((folder / MANIFEST).read_text())
    document["shapegen4d"].update(fields)
    (folder / MANIFEST).write_text(json.dumps(document))


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"files": ["frame_0001.obj", "../frame_0002.obj"]}, "plain names"),
        ({"files": ["frame_0001.obj", "/etc/passwd"]}, "plain names"),
        ({"files": ["frame_0001.obj", "C:frame.obj"]}, "plain names"),
        ({"files": ["frame_0001.obj", 5]}, "plain names"),
        ({"files": ["frame_0001.obj", "frame_0001.obj"]}, "none twice"),
        ({"files": ["frame_0001.obj"]}, "2 frames but names 1"),
        ({"files": ["frame_0001.obj", "frame_0009.obj"]}, "frame_0009.obj.*missing"),
        ({"files": ["frame_0001.obj", MANIFEST]}, "accepted are .obj"),
        ({"files": "frame_0001.obj"}, "not a list"),
        ({"files": [], "frames": 0}, "whole number"),
        ({"others": ["gone.mtl"]}, "gone.mtl.*missing"),
        ({"others": ["a" * 300]}, "aaa.*missing"),  # longer than any system takes
        ({"fps": 0}, "positive number"),
        ({"fps": True}, "positive number"),
        ({"fps": 10**400}, "positive number"),
        ({"fps": None}, "positive number"),
        ({"frames": 10**9}, "whole number"),
        ({"name": 7}, "name is 7"),
        ({"settings": []}, "settings"),
        ({"version": 2}, "version 1"),
    ],
)
def test_manifests_that_do_not_fit(tmp_path, fields, said):
    folder = write_mesh_folder(waving(2), tmp_path / "a")
    edit(folder, **fields)
    with pytest.raises(InputError, match=said) as error:
        read_mesh_folder(folder)
    assert MANIFEST in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"[" * 100_000, b'{"shapegen4d": {}}'])
def test_damaged_manifests(tmp_path, content):
    folder = write_mesh_folder(waving(2), tmp_path / "a")
    (folder / MANIFEST).write_bytes(content)
    with pytest.raises(InputError, match=MANIFEST):
        read_mesh_folder(folder)


def test_a_link_out_of_the_folder_is_not_followed(tmp_path):
    folder = write_mesh_folder(waving(2), tmp_path / "a")
    shutil.move(folder / "frame_0002.obj", tmp_path / "outside.obj")
    (folder / "frame_0002.obj").symlink_to(tmp_path / "outside.obj")
    with pytest.raises(InputError, match="frame_0002.obj.*missing"):
        read_mesh_folder(folder)


def test_folders_that_are_none(tmp_path):
    (tmp_path / "empty").mkdir()
    mixed = obj_frames(tmp_path / "mixed", [TRIANGLE])
    (mixed / "x.ply").touch()
    for name, said in (("gone", "not a folder"), ("empty", "holds no meshes"), ("mixed", "one kind")):
        with pytest.raises(InputError, match=said):
            read_mesh_folder(tmp_path / name)
    moving = tmp_path / "moving"
    moving.mkdir()
    for name in "ab":
        write_glb(waving(3), moving / f"{name}.glb")
    with pytest.raises(InputError, match="3 frames, but lies among files of one frame"):
        read_mesh_folder(moving)
    broken = obj_frames(tmp_path / "broken", [TRIANGLE, "v 0 0\n"])
    with pytest.raises(InputError, match=r"Cannot import .*1\.obj: a position"):
        read_mesh_folder(broken)


def test_too_much_is_refused(tmp_path, monkeypatch):
    folder = write_mesh_folder(waving(4), tmp_path / "a", kind="ply")
    monkeypatch.setattr("shapegen4d_core.importing.mesh_folder.BYTES_LIMIT", 3 * 42 * 12)
    with pytest.raises(InputError, match="take some out"):
        read_mesh_folder(folder)


def test_progress_and_cancel(tmp_path):
    folder, steps = write_mesh_folder(waving(5), tmp_path / "a"), []

    def check() -> None:
        if len(steps) == 3:
            raise Cancelled

    with pytest.raises(Cancelled):
        read_mesh_folder(folder, progress=lambda step, total, preview=None: steps.append((step, total)), check=check)
    assert steps == [(1, 5), (2, 5), (3, 5)]


def test_ours_is_read_without_a_warning(tmp_path):
    vertices = len(sphere()[0])
    uv, texture = np.zeros((vertices, 2), np.float32), np.zeros((2, 2, 3), np.uint8)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for kind in ("obj", "ply", "glb"):
            path = write_mesh_folder(waving(2, uv=uv, texture=texture), tmp_path / kind, kind=kind, unlit=True)
            assert read_mesh_folder(path).texture is not None
