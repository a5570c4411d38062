"""Files of others: positions against Panda3D's own evaluation, trimesh's rest pose and values worked out by hand."""

from __future__ import annotations

import json

import numpy as np
import pytest
import trimesh

from shapegen4d_core.importing import load_animated, to_sequence
from tests.importing.scenes import FIXTURES, read_json, write_json

REFERENCE = json.loads((FIXTURES / "reference.json").read_text(encoding="ascii"))


@pytest.mark.parametrize("name", sorted(REFERENCE))
def test_positions_are_those_of_panda3d_itself(name):
    mesh, expected = load_animated(FIXTURES / f"{name}.glb"), REFERENCE[name]
    found = mesh.vertices[expected["frames"]][:, expected["vertices"]]
    wanted = np.array(expected["positions"])
    assert np.ptp(wanted, axis=0).max() > 0.05  # they do move
    np.testing.assert_allclose(found, wanted, atol=3e-6)


def test_panda_has_its_counts_rate_texture_and_root():
    mesh = load_animated(FIXTURES / "panda_walk.glb")
    assert mesh.vertices.shape == (60, 1338, 3) and mesh.faces.shape == (1798, 3)
    assert mesh.fps == 30 and mesh.name == "panda_walk"
    assert mesh.uv.shape == (1338, 2) and 0 <= mesh.uv.min() and mesh.uv.max() <= 1
    assert [material.name for material in mesh.materials] == ["fur"] and not mesh.face_material.any()
    assert mesh.materials[0].texture.shape == (256, 256, 3) and mesh.materials[0].texture.std() > 50
    # Dummy_shoulders: x and y stand still at -5.0411 and -175.499 of the file, z bobs
    np.testing.assert_allclose(mesh.root[:, [0, 2]], np.tile([-0.050411, 1.75499], (60, 1)), atol=1e-6)
    assert 0.1 < np.ptp(mesh.root[:, 1]) < 1


def test_panda_without_its_animation_is_the_rest_pose_trimesh_reads(tmp_path):
    document, rest = read_json(FIXTURES / "panda_walk.glb")
    del document["animations"]
    path = write_json(tmp_path / "still.glb", document, rest)
    mesh = load_animated(path)
    other = trimesh.load(path, process=False).to_geometry()
    assert mesh.frame_count == 1
    np.testing.assert_allclose(mesh.vertices[0], other.vertices, atol=1e-5)
    np.testing.assert_array_equal(mesh.faces, other.faces)


def test_panda_is_a_sequence_with_its_texture_the_right_way_up():
    mesh = load_animated(FIXTURES / "panda_walk.glb", frames=2)
    sequence = to_sequence(mesh)
    assert sequence.frame_count == 2 and sequence.fixed_topology and sequence.fps == mesh.fps
    np.testing.assert_allclose(sequence.uv[:, 1], 1 - mesh.uv[:, 1])
    assert sequence.texture is mesh.materials[0].texture


def test_simple_skin_bends_about_its_second_joint():
    """Rows of two vertices at heights 0, 0.5 .. 2 stand centred on both joints, which lie at (0, 1, 0)."""
    mesh = load_animated(FIXTURES / "simple_skin.gltf", fps=2)
    assert mesh.frame_count == 11 and mesh.fps == 2
    still = np.array([[x, y, 0] for y in (0, 0.5, 1, 1.5, 2) for x in (-0.5, 0.5)])
    np.testing.assert_allclose(mesh.vertices[0], still, atol=1e-6)
    turned = np.stack([1 - still[:, 1], 1 + still[:, 0], still[:, 2]], axis=1)  # a quarter turn of the upper joint
    weights = np.repeat([0, 0.25, 0.5, 0.75, 1], 2)[:, None]
    np.testing.assert_allclose(mesh.vertices[2], still * (1 - weights) + turned * weights, atol=1e-6)  # at 1 s
    np.testing.assert_allclose(mesh.root, np.tile([0, 1, 0], (11, 1)))


def test_morph_cube_blends_its_two_targets():
    document = json.loads((FIXTURES / "AnimatedMorphCube.gltf").read_text(encoding="utf-8"))
    binary = (FIXTURES / "AnimatedMorphCube.bin").read_bytes()

    def values(index: int, width: int) -> np.ndarray:
        accessor = document["accessors"][index]
        start = document["bufferViews"][accessor["bufferView"]].get("byteOffset", 0)
        count = accessor["count"] * {"SCALAR": 1, "VEC3": 3}[accessor["type"]]
        return np.frombuffer(binary, "<f4", count, start).reshape(-1, width)

    primitive = document["meshes"][0]["primitives"][0]
    base = values(primitive["attributes"]["POSITION"], 3)
    thin, angle = (values(target["POSITION"], 3) for target in primitive["targets"])
    weights = values(11, 2)
    mesh = load_animated(FIXTURES / "AnimatedMorphCube.gltf")  # its keys lie at k / 30 s
    assert mesh.fps == 30 and mesh.frame_count == 126
    for frame in (0, 48, 72, 100):
        x, y, z = (100 * (base + weights[frame, 0] * thin + weights[frame, 1] * angle)).T
        # the node turns by 180 degrees about (0, 1, -1)
        np.testing.assert_allclose(mesh.vertices[frame], np.stack([-x, -z, -y], axis=1), atol=1e-4)
    assert np.ptp(mesh.vertices, axis=0).max() > 1
    assert len(mesh.faces) == 12 and mesh.materials[0].texture is None
