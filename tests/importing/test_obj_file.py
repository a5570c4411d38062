"""One OBJ: every way to write its statements, materials, and files that are damaged or hostile."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from shapegen4d_core.errors import Cancelled, InputError
from shapegen4d_core.importing.mesh_file import read_mesh_file, read_still

SQUARE = "v 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\n"
UV = "vt 0 0\nvt 1 0\nvt 1 1\nvt 0 1\n"


def read(tmp_path, text: str | bytes):
    path = tmp_path / "a.obj"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_still(path)


@pytest.mark.parametrize(
    "faces",
    [
        "f 1 2 3 4",
        "f 1 2 3\nf 1 3 4",
        "f -4 -3 -2 -1",
        "f 1// 2// 3// 4//",
        "f\t1  2 3\t4  ",
        "  f 1 2 3 \\\n 4",
        "f 1 2/ -2 4",
        "f 1 2 3 4\r\n",
    ],
)
def test_faces_however_they_are_written(tmp_path, faces):
    still = read(tmp_path, SQUARE + faces)
    np.testing.assert_array_equal(still.faces, [[0, 1, 2], [0, 2, 3]])
    np.testing.assert_array_equal(still.vertices, [[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]])
    assert still.uv is None and still.normals is None and still.rows is None
    assert still.faces.dtype == np.int32 and still.vertices.dtype == np.float32


def test_numbers_counted_back_are_those_known_at_the_face(tmp_path):
    still = read(tmp_path, "v 0 0 0\nv 1 0 0\nv 1 1 0\nf -3 -2 -1\nv 0 1 0\nf -4 -2 -1\n")
    np.testing.assert_array_equal(still.faces, [[0, 1, 2], [0, 2, 3]])


def test_colours_weights_and_other_statements_do_not_disturb(tmp_path):
    text = "# x\no a b\ng c\nv 0 0 0 1\nv 1 0 0 0.5 0.5 0.5\nv 1 1 0\nl 1 2\np 1\nvp 1 2\ns off\nf 1 2 3\n"
    still = read(tmp_path, text)
    np.testing.assert_array_equal(still.vertices, [[0, 0, 0], [1, 0, 0], [1, 1, 0]])


@pytest.mark.parametrize("corners", ["1/1 2/2 3/3", "1/1/1 2/2/2 3/3/3", "1/1/1 2/2 3/3/"])
def test_coordinates_of_their_own_keep_every_vertex(tmp_path, corners):
    still = read(tmp_path, f"{SQUARE}{UV}vn 0 0 1\nvn 0 0 1\nvn 0 0 1\nvn 0 0 1\nf {corners}\n")
    np.testing.assert_array_equal(still.uv, [[0, 0], [1, 0], [1, 1], [0, 1]])
    assert len(still.vertices) == 4 and still.rows is None
    assert (still.normals is not None) == (corners == "1/1/1 2/2/2 3/3/3")


def test_seams_make_further_vertices_after_all_others(tmp_path):
    still = read(tmp_path, f"{SQUARE}vt 0 0\nvt 1 0\nvt 0.5 0.5\nf 1/1 2/2 3/3\nf 1/2 3/1 4/3\n")
    np.testing.assert_array_equal(still.rows, [0, 1, 2, 3, 0, 2])
    np.testing.assert_array_equal(still.vertices[4:], [[0, 0, 0], [1, 1, 0]])
    text_corners = [[(0, 0), (1, 0), (0.5, 0.5)], [(1, 0), (0, 0), (0.5, 0.5)]]
    np.testing.assert_array_equal(still.uv[still.faces], text_corners)
    np.testing.assert_array_equal(still.rows[still.faces], [[0, 1, 2], [0, 2, 3]])


def test_corners_without_coordinates_among_others_get_the_origin(tmp_path):
    still = read(tmp_path, f"{SQUARE}vt 0.5 0.5\nf 1/1 2 3\n")
    np.testing.assert_array_equal(still.uv[still.faces], [[[0.5, 0.5], [0, 0], [0, 0]]])


@pytest.mark.parametrize(
    "line",
    [
        "map_Kd my picture.png",
        "map_kd -clamp on -s 1 1 1 -o 0 0 my picture.png",
        "\tmap_Kd\tmy picture.png  ",
        "map_Kd .\\my picture.png",
        'map_Kd "my picture.png"',
        "map_Kd -imfchan r -bm 0.5 -mm 0 1 -texres 512 my picture.png",
    ],
)
def test_pictures_of_materials(tmp_path, line):
    pixels = np.random.default_rng(0).integers(0, 256, (2, 3, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "my picture.png")
    (tmp_path / "m\u00fc.mtl").write_text(f"newmtl other\nnewmtl skin\nKd 1 1 1\n{line}\n", encoding="utf-8")
    (tmp_path / "a.obj").write_text(f"mtllib m\u00fc.mtl\n{SQUARE}{UV}usemtl skin\nf 1/1 2/2 3/3\n", encoding="utf-8")
    np.testing.assert_array_equal(read_mesh_file(tmp_path / "a.obj").texture, pixels)


@pytest.mark.parametrize("name", ["skin-body diffuse.png", "wood-dark 2 x.png", "a - b.png", "-body 1.png"])
def test_names_that_look_like_options(tmp_path, name):
    (tmp_path / name).touch()
    (tmp_path / "m.mtl").write_text(f"newmtl m\nmap_Kd -s 1 1 1 {name}\n")
    assert read(tmp_path, f"mtllib m.mtl\nusemtl m\n{SQUARE}{UV}f 1/1 2/2 3/3\n").picture == tmp_path / name


@pytest.mark.parametrize("libraries", ["first.mtl my own.mtl", '"my own.mtl"'])
def test_libraries_however_they_are_named(tmp_path, libraries):
    (tmp_path / "first.mtl").touch()
    (tmp_path / "p.png").touch()
    (tmp_path / "my own.mtl").write_text("\ufeffnewmtl m\nmap_Kd p.png\n", encoding="utf-8")
    text = f"mtllib {libraries}\nusemtl m\n{SQUARE}{UV}f 1/1 2/2 3/3\n"
    assert read(tmp_path, text).picture == tmp_path / "p.png"


def test_a_byte_order_mark_and_comments_behind_numbers(tmp_path):
    still = read(tmp_path, "\ufeff" + SQUARE.replace("\n", " # corner\n") + "f 1 2 3 # a face\n")
    assert still.vertices.shape == (4, 3) and still.faces.tolist() == [[0, 1, 2]]


def test_many_materials_take_no_time_squared(tmp_path):
    start = time.process_time()
    read(tmp_path, SQUARE + "".join(f"usemtl {number}\n" for number in range(50_000)) + "f 1 2 3\n")
    assert time.process_time() - start < 3  # 15 and more when each is looked for in a list


@pytest.mark.parametrize(
    ("library", "picture"),
    [("../m.mtl", "p.png"), ("gone.mtl", "p.png"), ("m.mtl", "../p.png"), ("m.mtl", "C:\\p.png"), ("m.mtl", "gone")],
)
def test_files_elsewhere_are_not_followed(tmp_path, library, picture):
    folder = tmp_path / "sub"
    folder.mkdir()
    for place in (tmp_path, folder):
        (place / "m.mtl").write_text(f"newmtl m\nmap_Kd {picture}\n")
    Image.new("RGB", (2, 2)).save(tmp_path / "p.png")
    (folder / "a.obj").write_text(f"mtllib {library}\nusemtl m\n{SQUARE}{UV}f 1/1 2/2 3/3\n")
    with pytest.warns(UserWarning, match="a.obj names the file .* not in its folder"):
        assert read_mesh_file(folder / "a.obj").texture is None


def test_faces_with_several_pictures_are_read_without(tmp_path):
    (tmp_path / "m.mtl").write_text("newmtl a\nmap_Kd a.png\nnewmtl b\n")
    text = f"mtllib m.mtl\n{SQUARE}{UV}usemtl a\nf 1/1 2/2 3/3\nusemtl b\nf 1/1 3/3 4/4\n"
    with pytest.warns(UserWarning, match="different textures"):
        assert read(tmp_path, text).picture is None


def test_damaged_pictures_are_refused(tmp_path):
    (tmp_path / "m.mtl").write_text("newmtl a\nmap_Kd a.png\n")
    (tmp_path / "a.png").write_bytes(b"no picture")
    (tmp_path / "a.obj").write_text(f"mtllib m.mtl\nusemtl a\n{SQUARE}{UV}f 1/1 2/2 3/3\n")
    with pytest.raises(InputError, match="a.png is not a readable"):
        read_mesh_file(tmp_path / "a.obj")


DAMAGED = {
    "v 0 0\n": "a position is not 3 numbers",
    "v 0 0 x\n": "a position is not 3 numbers",
    "v\nv 0 0 0\n": "a position is not 3 numbers",
    "v 0 0 nan\n": "not finite",
    "v 0 0 1e39\n": "too large for 32 bits",
    "v 0 0 0\nvt x\n": "a texture coordinate is not 2 numbers",
    SQUARE + "f 1 2\n": "2 corners",
    SQUARE + "f\n": "0 corners",
    SQUARE + "f 1 2 5\n": "the vertex 5, but there are 4",
    SQUARE + "f 0 1 2\n": "count from 1",
    SQUARE + "f -5 1 2\n": "counts back",
    SQUARE + UV + "f 1/5 2/1 3/1\n": "the texture coordinate 5, but there are 4",
    SQUARE + "f 1 2 x\n": "the corner 'x'",
    SQUARE + "f 1 2 3.5\n": "the corner '3.5'",
    SQUARE + "f 1/1/1/1 2 3\n": "no set of numbers",
    SQUARE + f"f 1 2 {'9' * 40}\n": "no set of numbers",
    SQUARE + "f 1 2 999999999999999999\n": "the vertex 999999999999999999",
    SQUARE + "f 1 2 --3\n": "no set of numbers",
}


@pytest.mark.parametrize("text", sorted(DAMAGED))
def test_damaged_files_are_one_sentence(tmp_path, text):
    with pytest.raises(InputError, match=DAMAGED[text]) as error:
        read(tmp_path, text)
    assert "a.obj" in str(error.value) and "\n" not in str(error.value) and len(str(error.value)) < 400


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(b"v vt vn f 1 -2 / \\ \xff e9 0".split() + [b" ", b"\n"])))
def test_random_statements_never_crash(tmp_path, words):
    try:
        still = read(tmp_path, b"v 0 0 0\nv 1 1 1\n" + b"".join(words))
    except InputError:
        return
    assert len(still.faces) == 0 or still.faces.max() < len(still.vertices)


def test_a_missing_or_too_large_file(tmp_path, monkeypatch):
    with pytest.raises(InputError, match="gone.obj cannot be read"):
        read_still(tmp_path / "gone.obj")
    monkeypatch.setattr("shapegen4d_core.importing.still.BYTES_LIMIT", 10)
    with pytest.raises(InputError, match="the most that is read"):
        read(tmp_path, SQUARE)


def test_cancel_inside_one_large_file(tmp_path):
    def check() -> None:
        raise Cancelled

    (tmp_path / "a.obj").write_text(SQUARE)
    with pytest.raises(Cancelled):
        read_still(tmp_path / "a.obj", check)
