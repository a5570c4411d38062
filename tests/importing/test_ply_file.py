"""One PLY: text and both byte orders, all names of properties, and files that are damaged or hostile."""

from __future__ import annotations

import struct

import numpy as np
import pytest
import trimesh
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from shapegen4d_core.errors import Cancelled, InputError
from shapegen4d_core.importing.mesh_file import read_mesh_file, read_still
from tests.export.shapes import sphere

POINTS = [(0, 0, 0), (1, 0, 0), (1, 1, 0), (0, 1, 0)]
ORDERS = {"binary_little_endian": "<", "binary_big_endian": ">"}


def header(kind: str, *elements: str) -> bytes:
    return "\n".join(["ply", f"format {kind} 1.0", *elements, "end_header", ""]).encode()


def vertex(count: object = 4, more: str = "") -> str:
    return f"element vertex {count}\nproperty float x\nproperty float y\nproperty float z{more}"


def face(count: object, length: str = "uchar", corner: str = "int", name: str = "vertex_indices") -> str:
    return f"element face {count}\nproperty list {length} {corner} {name}"


def read(tmp_path, content: bytes):
    (tmp_path / "a.ply").write_bytes(content)
    return read_still(tmp_path / "a.ply")


@pytest.mark.parametrize("kind", [*ORDERS, "ascii"])
@pytest.mark.parametrize("polygons", [[(0, 1, 2), (0, 2, 3)], [(0, 1, 2, 3)], [(0, 1, 2), (0, 1, 2, 3)], []])
@pytest.mark.parametrize("types", [("uchar", "int"), ("int", "uint"), ("uint8", "uint16")])
def test_polygons_in_every_form(tmp_path, kind, polygons, types):
    head = header(kind, vertex(), face(len(polygons), *types, "vertex_index"))
    if kind == "ascii":
        rows = [*POINTS, *((len(polygon), *polygon) for polygon in polygons)]
        content = "\n".join(" ".join(map(str, row)) for row in rows).encode()
    else:
        order = ORDERS[kind]
        codes = {"uchar": "B", "int": "i", "uint": "I", "uint8": "B", "uint16": "H"}
        content = b"".join(struct.pack(order + "3f", *point) for point in POINTS)
        for polygon in polygons:
            form = f"{order}{codes[types[0]]}{len(polygon)}{codes[types[1]]}"
            content += struct.pack(form, len(polygon), *polygon)
    still = read(tmp_path, head + content)
    np.testing.assert_array_equal(still.vertices, POINTS)
    fans = [(p[0], p[i], p[i + 1]) for p in polygons for i in range(1, len(p) - 1)]
    np.testing.assert_array_equal(still.faces, np.array(fans).reshape(-1, 3))
    assert still.uv is None and still.normals is None


@pytest.mark.parametrize("names", [("s", "t"), ("u", "v"), ("texture_u", "texture_v")])
def test_coordinates_and_normals_among_other_properties(tmp_path, names):
    more = "\nproperty uchar red\nproperty double nx\nproperty double ny\nproperty double nz"
    more += "".join(f"\nproperty float {name}" for name in names)
    rows = [struct.pack("<3fB3d2f", *point, 255, 0, 0, 1, 0.25, 0.5) for point in POINTS]
    edges = b"".join(struct.pack("<2i", 0, 1) for _ in range(5))
    content = b"".join(rows) + edges + struct.pack("<B3i", 3, 0, 1, 2)
    edge = "element edge 5\nproperty int vertex1\nproperty int vertex2"
    still = read(tmp_path, header("binary_little_endian", vertex(more=more), edge, face(1)) + content)
    np.testing.assert_array_equal(still.uv, [[0.25, 0.5]] * 4)
    np.testing.assert_array_equal(still.normals, [[0, 0, 1]] * 4)
    np.testing.assert_array_equal(still.faces, [[0, 1, 2]])


@pytest.mark.parametrize("comment", ["K\u00e4fer \u0085 b", "a \x1c b \x0c c", "a \u2028 b"])
@pytest.mark.parametrize("coding", ["utf-8", "latin-1"])
def test_comments_of_any_characters(tmp_path, comment, coding):
    content = header("ascii", "comment WORDS", vertex(1)) + b"0 0 1\n"
    still = read(tmp_path, content.replace(b"WORDS", comment.encode(coding, "replace")))
    assert still.vertices.tolist() == [[0, 0, 1]]


def test_lists_before_other_properties_of_a_face(tmp_path):
    faces = face(2) + "\nproperty list uchar float texcoord\nproperty int flags"
    head = header("binary_little_endian", vertex(), faces)
    content = np.array(POINTS, "<f4").tobytes()
    for corners in ((0, 1, 2), (0, 2, 3)):
        content += struct.pack("<B3iB6fi", 3, *corners, 6, *range(6), 7)
    with pytest.warns(UserWarning, match="coordinates per face"):
        still = read(tmp_path, head + content)
    np.testing.assert_array_equal(still.faces, [[0, 1, 2], [0, 2, 3]])


@pytest.mark.parametrize("encoding", ["binary", "ascii"])
def test_files_of_trimesh(tmp_path, encoding):
    vertices, faces = sphere()
    trimesh.Trimesh(vertices, faces, process=False).export(tmp_path / "a.ply", encoding=encoding)
    still = read_still(tmp_path / "a.ply")
    np.testing.assert_allclose(still.vertices, vertices, atol=1e-6)
    np.testing.assert_array_equal(still.faces, faces)


def test_points_without_faces_stay(tmp_path):
    still = read(tmp_path, header("ascii", vertex()) + b"0 0 0\n1 0 0\n1 1 0\n0 1 0\n")
    assert still.vertices.shape == (4, 3) and still.faces.shape == (0, 3)


def test_the_picture(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (2, 3, 4), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "my skin.png")
    uv = "\nproperty float s\nproperty float t"
    content = header("ascii", "comment TextureFile my skin.png", vertex(1, uv)) + b"0 0 0 0.5 0.5"
    (tmp_path / "a.ply").write_bytes(content)
    np.testing.assert_array_equal(read_mesh_file(tmp_path / "a.ply").texture, pixels)
    with pytest.warns(UserWarning, match="not in its folder"):
        assert read(tmp_path, content.replace(b"my skin", b"../skin")).picture is None


LITTLE = "binary_little_endian"
SOLID = np.array(POINTS, "<f4").tobytes()
DAMAGED = {
    "empty": (b"", "not PLY"),
    "no end": (b"ply\nformat ascii 1.0\n", "no end"),
    "something else": (b"solid x end_header\n", "not PLY"),
    "no format": (b"ply\nelement vertex 1\nproperty int x\nend_header\n", "no format"),
    "unknown format": (header("binary_middle", vertex()), "no part of PLY"),
    "unknown type": (header(LITTLE, "element vertex 4\nproperty quad x"), "not understood"),
    "float lengths": (header(LITTLE, vertex(), face(1, "float")), "not understood"),
    "twice the same": (header(LITTLE, vertex(more="\nproperty float x")), "or one of them twice"),
    "no properties": (header("ascii", "element vertex 2000000000"), "no properties"),
    "property first": (header(LITTLE, "property float x"), "no part of PLY"),
    "no positions": (header("ascii", "element vertex 1\nproperty float x") + b"1", "no x, y and z"),
    "no vertices": (header("ascii", face(0)), "no x, y and z"),
    "faces without list": (header("ascii", vertex(0), "element face 1\nproperty int a") + b"1", "no list"),
    "endless count": (header(LITTLE, vertex(10**11)) + SOLID, "announces"),
    "negative count": (header(LITTLE, vertex(-4)) + SOLID, "announces"),
    "many vertices": (header(LITTLE, vertex(2**30)) + SOLID, "ends inside its vertex rows"),
    "many in text": (header("ascii", vertex(2**30)) + b"0 0 0\n", "too few"),
    "cut vertices": (header(LITTLE, vertex()) + SOLID[:-1], "ends inside its vertex rows"),
    "cut faces": (header(LITTLE, vertex(), face(2)) + SOLID + b"\3\0\0\0\0", "ends inside its face rows"),
    "cut length": (header(LITTLE, vertex(), face(1)) + SOLID, "ends inside its face rows"),
    "many faces": (header(LITTLE, vertex(), face(2**30)) + SOLID + bytes(13), "ends inside its face rows"),
    "long list": (header(LITTLE, vertex(), face(1, "uint")) + SOLID + b"\xff\xff\xff\xff", "more than it has bytes"),
    "negative list": (header(LITTLE, vertex(), face(1, "int")) + SOLID + b"\xff\xff\xff\xff", "more than it has"),
    "strips": (header("ascii", vertex(1), face(1).replace("face", "tristrips")) + b"0 0 0\n3 0 0 0", "triangle strips"),
    "two corners": (header("ascii", vertex(3), face(1)) + b"0 0 0\n1 0 0\n0 1 0\n2 0 1", "2 corners"),
    "corner out of range": (header("ascii", vertex(3), face(1)) + b"0 0 0\n1 0 0\n0 1 0\n3 0 1 3", "0..3"),
    "corner below": (header("ascii", vertex(3), face(1)) + b"0 0 0\n1 0 0\n0 1 0\n3 0 1 -1", "-1..1"),
    "half a corner": (header("ascii", vertex(3), face(1)) + b"0 0 0\n1 0 0\n0 1 0\n3 0 1 1.5", "whole number"),
    "endless corner": (header("ascii", vertex(3), face(1)) + b"0 0 0\n1 0 0\n0 1 0\n3 0 1 inf", "whole number"),
    "words": (header("ascii", vertex(1)) + b"0 0 x", "not numbers"),
    "huge length in text": (header("ascii", vertex(0), face(1)) + b"-" + b"9" * 30, "more than it has"),
    "not finite": (header("ascii", vertex(1)) + b"0 0 nan", "not finite"),
    "too large": (header("ascii", vertex(1)) + b"0 0 1e39", "too large for 32 bits"),
}


@pytest.mark.parametrize("case", sorted(DAMAGED))
def test_damaged_files_are_one_sentence(tmp_path, case):
    content, said = DAMAGED[case]
    with pytest.raises(InputError, match=said) as error:
        read(tmp_path, content)
    assert "a.ply" in str(error.value) and "\n" not in str(error.value) and len(str(error.value)) < 400


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 400), st.integers(0, 255), st.integers(0, 400))
def test_changed_and_cut_files_never_crash(tmp_path, place, value, cut):
    content = header(LITTLE, vertex(), face(2)) + SOLID
    content += b"".join(struct.pack("<B3i", 3, *corners) for corners in ((0, 1, 2), (0, 2, 3)))
    damaged = bytearray(content[: len(content) - cut % len(content)] if cut % 2 else content)
    if damaged:
        damaged[place % len(damaged)] = value
    try:
        still = read(tmp_path, bytes(damaged))
    except InputError:
        return
    assert len(still.faces) == 0 or 0 <= still.faces.min() <= still.faces.max() < len(still.vertices)


@pytest.mark.parametrize("kind", [LITTLE, "ascii"])
def test_cancel_inside_one_large_file(tmp_path, kind):
    rows = b"3 0 1 2\n4 0 1 2 3" if kind == "ascii" else struct.pack("<B3iB4i", 3, 0, 1, 2, 4, 0, 1, 2, 3)
    points = b"0 0 0\n" * 4 if kind == "ascii" else SOLID
    (tmp_path / "a.ply").write_bytes(header(kind, vertex(), face(2)) + points + rows)

    def check() -> None:
        raise Cancelled

    assert len(read_still(tmp_path / "a.ply").faces) == 3
    with pytest.raises(Cancelled):
        read_still(tmp_path / "a.ply", check)
