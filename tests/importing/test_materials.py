"""Pictures and materials: formats, where they may lie, coordinates, limits."""

from __future__ import annotations

import base64
import io
import json

import numpy as np
import pytest
from PIL import Image

from shapegen4d_core.errors import InputError
from shapegen4d_core.importing import Material, load_animated, materials, to_sequence
from tests.importing.scenes import triangle_file

PICTURE = np.random.default_rng(0).integers(0, 256, (3, 5, 4), dtype=np.uint8)
UV = np.float32([[0, 0], [1, 0.25], [0.5, 2]])


def encoded(kind: str, channels: int = 3) -> bytes:
    content = io.BytesIO()
    Image.fromarray(PICTURE[..., :channels]).save(content, format=kind, lossless=True)
    return content.getvalue()


def painted_file(image: dict | bytes, reference: dict | None = None, sets: int = 1, texture: dict | None = None):
    file = triangle_file(material=0)
    attributes = file.document["meshes"][0]["primitives"][0]["attributes"]
    for number in range(sets):
        attributes[f"TEXCOORD_{number}"] = file.array(UV + number)
    surface = {"baseColorFactor": [0.5, 1, 1, 1], "baseColorTexture": {"index": 0, **(reference or {})}}
    file.document["materials"] = [{"name": "paint", "pbrMetallicRoughness": surface, "doubleSided": True}]
    file.document["images"] = [file.picture(image, "image/png") if isinstance(image, bytes) else image]
    file.document["textures"] = [texture or {"source": 0}]
    return file


def load(file, tmp_path):
    file.write(tmp_path / "file.glb")
    return load_animated(tmp_path / "file.glb")


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_lossless_pictures_come_back_exactly(tmp_path, kind, channels):
    mesh = load(painted_file(encoded(kind, channels)), tmp_path)
    (material,) = mesh.materials
    assert material.name == "paint" and material.colour == (0.5, 1, 1, 1) and material.double_sided
    solid = channels == 3 or PICTURE[..., 3:] > 0  # WebP may drop the colour below no opacity
    np.testing.assert_array_equal(material.texture * solid, PICTURE[..., :channels] * solid)
    np.testing.assert_array_equal(mesh.uv, UV)


def test_jpeg_grey_and_palette_pictures(tmp_path):
    for picture, kind in ((Image.new("L", (4, 2), 77), "JPEG"), (Image.new("P", (4, 2), 0), "PNG")):
        content = io.BytesIO()
        picture.save(content, format=kind)
        assert load(painted_file(content.getvalue()), tmp_path).materials[0].texture.shape == (2, 4, 3)


def test_pictures_beside_the_file_and_inside_its_json(tmp_path):
    (tmp_path / "a folder").mkdir()
    (tmp_path / "a folder" / "paint.png").write_bytes(encoded("PNG"))
    data = "data:image/png;base64," + base64.b64encode(encoded("PNG")).decode()
    for uri in ("a%20folder/paint.png", data):
        mesh = load(painted_file({"uri": uri}), tmp_path)
        np.testing.assert_array_equal(mesh.materials[0].texture, PICTURE[..., :3])


def test_a_gltf_with_a_buffer_beside_it(tmp_path):
    positions = np.float32([[0, 0, 0], [1, 0, 0], [0, 1, 5]])
    (tmp_path / "mesh.bin").write_bytes(positions.tobytes() + b"more")
    document = {
        "asset": {"version": "2.0"},
        "nodes": [{"mesh": 0}],
        "meshes": [{"primitives": [{"attributes": {"POSITION": 0}}]}],
        "buffers": [{"byteLength": 36, "uri": "mesh.bin"}],
        "bufferViews": [{"buffer": 0, "byteLength": 36}],
        "accessors": [{"bufferView": 0, "componentType": 5126, "count": 3, "type": "VEC3"}],
    }
    path = tmp_path / "mesh.gltf"
    path.write_text("\ufeff" + json.dumps(document), encoding="utf-8")
    np.testing.assert_array_equal(load_animated(path).vertices[0], positions)


ESCAPES = [
    "../secret.png",
    "a/../../secret.png",
    "%2e%2e/secret.png",
    "/etc/hostname",
    "//host/share.png",
    "file:///etc/hostname",
    "http://example.org/x.png",
    "C:/x.png",
    "..\\secret.png",
    "a\\..\\..\\secret.png",
    "x\0.png",
    "",
]


@pytest.mark.parametrize("uri", ESCAPES)
def test_files_elsewhere_are_refused(tmp_path, uri):
    (tmp_path / "secret.png").write_bytes(encoded("PNG"))
    inner = tmp_path / "inner"
    inner.mkdir()
    with pytest.raises(InputError, match="in the glTF file's folder or below"):
        load(painted_file({"uri": uri}), inner)


def test_links_that_leave_the_folder_are_refused(tmp_path):
    (tmp_path / "secret.png").write_bytes(encoded("PNG"))
    inner = tmp_path / "inner"
    inner.mkdir()
    try:
        (inner / "link.png").symlink_to(tmp_path / "secret.png")
    except OSError:
        pytest.skip("this system makes no symbolic links")
    with pytest.raises(InputError, match="leaves the folder"):
        load(painted_file({"uri": "link.png"}), inner)


@pytest.mark.parametrize(
    "image, message",
    [
        (b"no picture", "not a readable PNG"),
        (b"GIF89a\1\0\1\0\0\0\0;", "not a readable PNG"),
        (encoded("PNG")[:60], "not a readable PNG"),
        ({"uri": "absent.png"}, "does not exist"),
        ({"uri": "data:image/png;base64,@@@@"}, "damaged base64"),
        ({"uri": "data:image/png,plain"}, "not base64"),
        ({}, "uri of image 0"),
        ({"bufferView": 99}, r"bufferViews\[99\]"),
    ],
)
def test_broken_pictures_are_refused(tmp_path, image, message):
    with pytest.raises(InputError, match=message):
        load(painted_file(image), tmp_path)


def test_pictures_with_too_many_pixels_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(materials, "PIXEL_LIMIT", 14)
    with pytest.raises(InputError, match="5 x 3 pixels, at most 14"):
        load(painted_file(encoded("PNG")), tmp_path)


def test_pictures_that_together_take_too_much_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(materials, "PICTURES_LIMIT", 2 * 5 * 3 * 3)
    file = painted_file(encoded("PNG"))
    for number in (1, 2):
        file.document["images"].append(file.picture(encoded("PNG"), "image/png"))
        file.document["textures"].append({"source": number})
        surface = {"baseColorTexture": {"index": number}}
        file.document["materials"].append({"name": str(number), "pbrMetallicRoughness": surface})
        primitives = file.document["meshes"][0]["primitives"]
        primitives.append({**primitives[0], "material": number})
    with pytest.raises(InputError, match="pictures unpack to more"):
        load(file, tmp_path)
    monkeypatch.setattr(materials, "PICTURES_LIMIT", 3 * 5 * 3 * 3)
    assert len(load(file, tmp_path).materials) == 3


def test_the_material_names_the_coordinates(tmp_path):
    mesh = load(painted_file(encoded("PNG"), {"texCoord": 1}, sets=2), tmp_path)
    np.testing.assert_array_equal(mesh.uv, UV + 1)


def test_texture_transform_scales_turns_and_moves(tmp_path):
    transform = {"offset": [0.5, -1], "rotation": np.pi / 2, "scale": [2, 3], "texCoord": 1}
    mesh = load(painted_file(encoded("PNG"), {"extensions": {"KHR_texture_transform": transform}}, sets=2), tmp_path)
    u, v = ((UV + 1) * [2, 3]).T  # a quarter turn against the clock, seen with v down, takes (u, v) to (v, -u)
    np.testing.assert_allclose(mesh.uv, np.stack([v + 0.5, -u - 1], axis=1), atol=1e-6)


def test_extensions_that_hold_the_picture_or_the_colour(tmp_path):
    webp = {"extensions": {"EXT_texture_webp": {"source": 0}}}
    mesh = load(painted_file(encoded("WEBP"), texture=webp), tmp_path)
    np.testing.assert_array_equal(mesh.materials[0].texture, PICTURE[..., :3])
    file = painted_file(encoded("PNG"))
    older = {"diffuseFactor": [0, 0.25, 0, 1], "diffuseTexture": {"index": 0}}
    file.document["materials"] = [{"extensions": {"KHR_materials_pbrSpecularGlossiness": older}}]
    material = load(file, tmp_path).materials[0]
    assert material.colour == (0, 0.25, 0, 1) and material.texture is not None


def test_only_a_single_texture_travels_into_a_sequence(tmp_path):
    file = painted_file(encoded("PNG"))
    mesh = load(file, tmp_path)
    assert to_sequence(mesh).texture is mesh.materials[0].texture
    file.document["meshes"][0]["primitives"].append({"attributes": {"POSITION": 0}})
    mesh = load(file, tmp_path)
    assert [material.name for material in mesh.materials] == ["paint", "default"]
    assert mesh.face_material.tolist() == [0, 1] and not mesh.uv[3:].any()
    assert to_sequence(mesh).texture is None


def test_materials_check_themselves():
    with pytest.raises(InputError, match="four numbers"):
        Material("x", (1, 1, 1))
    with pytest.raises(InputError, match="uint8"):
        Material("x", texture=np.zeros((2, 2, 3)))
