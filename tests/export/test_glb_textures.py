"""Textures in the file: the pixels as they are, in PNG or lossless WebP, and how the material uses them."""

from __future__ import annotations

import io
import time

import numpy as np
import pytest
import trimesh
from PIL import Image

from shapegen4d_core.errors import Cancelled, InputError
from shapegen4d_core.export import gltf_picture, write_glb
from shapegen4d_core.importing import load_sequence
from shapegen4d_core.sequence import MeshSequence
from tests.export.glb_reader import read_glb
from tests.export.shapes import waving


def painted(texture: np.ndarray) -> MeshSequence:
    """A sphere with this texture and random coordinates."""
    plain, random = waving(3), np.random.default_rng(0)
    return MeshSequence(plain.vertices, plain.faces, 24.0, uv=random.random((42, 2), dtype=np.float32), texture=texture)


def noise(channels: int) -> np.ndarray:
    """Random pixels, 16 x 32, transparent ones among them."""
    texture = np.random.default_rng(1).integers(0, 256, (16, 32, channels), dtype=np.uint8)
    texture[:4, :, 3:] = 0
    return texture


def test_texture_is_embedded_and_its_origin_moves_to_the_top_left(tmp_path):
    plain, random = waving(), np.random.default_rng(0)
    uv = random.random((42, 2), dtype=np.float32)
    texture = random.integers(0, 256, (16, 32, 3), dtype=np.uint8)
    sequence = MeshSequence(plain.vertices, plain.faces, 24.0, uv=uv, texture=texture)
    glb = read_glb(write_glb(sequence, tmp_path / "wave.glb"))
    coordinates = glb.accessor(glb.json["meshes"][0]["primitives"][0]["attributes"]["TEXCOORD_0"])
    np.testing.assert_allclose(coordinates, np.stack([uv[:, 0], 1 - uv[:, 1]], axis=1), atol=1e-7)
    picture = Image.open(io.BytesIO(glb.view_bytes(glb.json["images"][0]["bufferView"])))
    np.testing.assert_array_equal(np.asarray(picture), texture)
    material = glb.json["materials"][0]
    assert material["pbrMetallicRoughness"]["baseColorTexture"]["index"] == 0
    assert "alphaMode" not in material


def test_a_texture_is_blended_only_when_it_has_transparency(tmp_path):
    plain, uv = waving(), np.zeros((42, 2), np.float32)
    for alpha, mode in ((255, None), (254, "BLEND")):
        texture = np.full((4, 4, 4), alpha, np.uint8)
        sequence = MeshSequence(plain.vertices, plain.faces, 24.0, uv=uv, texture=texture)
        glb = read_glb(write_glb(sequence, tmp_path / "a.glb"))
        assert glb.json["materials"][0].get("alphaMode") == mode


def test_an_unlit_texture_is_marked_and_needs_a_texture(tmp_path):
    plain, uv = waving(), np.zeros((42, 2), np.float32)
    painted = MeshSequence(plain.vertices, plain.faces, 24.0, uv=uv, texture=np.zeros((4, 4, 3), np.uint8))
    document = read_glb(write_glb(painted, tmp_path / "a.glb", unlit=True)).json
    assert document["materials"][0]["extensions"] == {"KHR_materials_unlit": {}}
    assert document["extensionsUsed"] == ["KHR_materials_unlit"]
    assert "extensionsUsed" not in read_glb(write_glb(painted, tmp_path / "b.glb")).json
    with pytest.raises(InputError, match="unlit"):
        write_glb(plain, tmp_path / "c.glb", unlit=True)
    assert not (tmp_path / "c.glb").exists()


@pytest.mark.parametrize("channels", [3, 4])
def test_webp_keeps_every_pixel_even_under_transparency(tmp_path, channels):
    sequence = painted(noise(channels))
    path = write_glb(sequence, tmp_path / "a.glb", texture_format="webp")
    glb = read_glb(path)
    assert glb.json["images"][0]["mimeType"] == "image/webp"
    assert glb.json["textures"][0]["extensions"] == {"EXT_texture_webp": {"source": 0}}
    assert "source" not in glb.json["textures"][0]
    assert glb.json["extensionsUsed"] == glb.json["extensionsRequired"] == ["EXT_texture_webp"]
    np.testing.assert_array_equal(load_sequence(path).texture, sequence.texture)
    np.testing.assert_allclose(load_sequence(path).uv, sequence.uv, atol=1e-7)


def test_webp_is_smaller_than_png(tmp_path):
    across, down = np.meshgrid(np.linspace(0, 255, 128), np.linspace(0, 255, 128))
    sequence = painted(np.stack([across, down, across * down / 255], axis=2).astype(np.uint8))
    sizes = [write_glb(sequence, tmp_path / "a.glb", texture_format=kind).stat().st_size for kind in ("png", "webp")]
    assert sizes[1] < sizes[0]


def test_extensions_add_up(tmp_path):
    path = write_glb(painted(noise(3)), tmp_path / "a.glb", texture_format="webp", unlit=True, quantize=True)
    document = read_glb(path).json
    assert document["extensionsRequired"] == ["KHR_mesh_quantization", "EXT_texture_webp"]
    assert document["extensionsUsed"] == ["KHR_mesh_quantization", "EXT_texture_webp", "KHR_materials_unlit"]


def test_without_a_texture_the_format_does_not_matter(tmp_path):
    assert "extensionsUsed" not in read_glb(write_glb(waving(), tmp_path / "a.glb", texture_format="webp")).json


def test_webp_that_cannot_be_written_is_refused(tmp_path, monkeypatch):
    steps: list[int] = []
    wide = painted(np.zeros((1, 16384, 3), np.uint8))
    with pytest.raises(InputError, match="16384 x 1 pixels.*set texture_format to png"):
        write_glb(wide, tmp_path / "a.glb", texture_format="webp", progress=steps.append)
    monkeypatch.setattr(gltf_picture.features, "check", lambda _: False)
    with pytest.raises(InputError, match="set texture_format to png"):
        write_glb(painted(noise(3)), tmp_path / "a.glb", texture_format="webp")
    assert list(tmp_path.iterdir()) == []
    assert steps == []  # refused before anything was done


def test_trimesh_reads_the_pixels(tmp_path):
    sequence = painted(noise(3))
    path = write_glb(sequence, tmp_path / "a.glb")
    (mesh,) = trimesh.load_scene(path).geometry.values()
    np.testing.assert_array_equal(np.asarray(mesh.visual.material.baseColorTexture), sequence.texture)
    np.testing.assert_allclose(mesh.visual.uv, sequence.uv, atol=1e-6)


@pytest.mark.parametrize("texture_format", ["png", "webp"])
def test_cancelling_does_not_wait_for_the_picture(tmp_path, monkeypatch, texture_format):
    encoding, begun = [], time.monotonic()

    def slow(texture):
        encoding.append(texture.shape)
        time.sleep(2)
        return b""

    def check():
        if encoding:
            raise Cancelled

    monkeypatch.setattr(gltf_picture, f"_{texture_format}", slow)
    with pytest.raises(Cancelled):
        write_glb(painted(noise(3)), tmp_path / "a.glb", texture_format=texture_format, check=check)
    assert time.monotonic() - begun < 1 and list(tmp_path.iterdir()) == []


def test_a_picture_is_the_same_with_and_without_check(tmp_path):
    sequence = painted(noise(4))
    for kind in ("png", "webp"):
        plain = write_glb(sequence, tmp_path / "a.glb", texture_format=kind).read_bytes()
        assert write_glb(sequence, tmp_path / "b.glb", texture_format=kind, check=lambda: None).read_bytes() == plain
