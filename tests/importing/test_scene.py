"""Nodes, instances, skins and primitives merged to one mesh in world space."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from shapegen4d_core.errors import InputError
from shapegen4d_core.importing import load_animated
from tests.importing.scenes import TRIANGLE, animate, new_file, triangle_file

SQUARE = np.float32([[0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 0], [0, 2, 0]])


def load(file, tmp_path, **options):
    file.write(tmp_path / "file.glb")
    return load_animated(tmp_path / "file.glb", **options)


def normals(mesh) -> np.ndarray:
    corners = mesh.vertices[0][mesh.faces]
    return np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])


def test_hierarchy_of_parts_and_matrices_with_an_animated_parent(tmp_path):
    file = triangle_file()
    turn = Rotation.from_euler("xyz", [20, -40, 70], degrees=True)
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = 2 * Rotation.from_euler("y", 90, degrees=True).as_matrix(), [5, 6, 7]
    file.document["nodes"] = [
        {"children": [1], "translation": [0, 1, 0]},
        {"children": [2], "matrix": matrix.T.reshape(-1).tolist()},
        {"mesh": 0, "translation": [1, 2, 3], "rotation": turn.as_quat().tolist(), "scale": [1, 2, 3]},
    ]
    animate(file, 0, "translation", [0, 1], np.float32([[0, 1, 0], [8, 1, 0]]))
    mesh = load(file, tmp_path, frames=4)
    inner = turn.apply(TRIANGLE * [1, 2, 3]) + [1, 2, 3]
    expected = inner @ matrix[:3, :3].T + [5, 6, 7] + [0, 1, 0]
    for frame in range(4):
        np.testing.assert_allclose(mesh.vertices[frame], expected + [2 * frame, 0, 0], atol=1e-5)


def test_instances_of_one_mesh_and_a_mirrored_one_keep_their_outside(tmp_path):
    file = triangle_file(material=0)
    file.document["materials"] = [{"name": "red", "pbrMetallicRoughness": {"baseColorFactor": [1, 0, 0, 1]}}]
    file.document["scenes"] = [{"nodes": [1, 0]}, {"nodes": [2]}]
    file.document["nodes"] = [
        {"mesh": 0},
        {"mesh": 0, "scale": [-1, 1, 1], "translation": [3, 0, 0]},
        {"mesh": 0, "translation": [100, 0, 0]},
    ]
    mesh = load(file, tmp_path)
    assert mesh.vertices.shape == (1, 6, 3) and mesh.vertices.max() == 3  # the other scene is not shown
    np.testing.assert_array_equal(mesh.vertices[0, 1], [2, 0, 0])
    np.testing.assert_allclose(normals(mesh), [[0, 0, 1], [0, 0, 1]])
    assert mesh.face_material.tolist() == [0, 0] and len(mesh.materials) == 1
    assert mesh.materials[0].colour == (1, 0, 0, 1) and mesh.root is None


@pytest.mark.parametrize(
    "mode, corners, faces",
    [
        (4, None, [[0, 1, 2]]),
        (4, [2, 1, 0, 3, 1, 2], [[2, 1, 0], [3, 1, 2]]),
        (5, None, [[0, 1, 2], [1, 3, 2], [2, 3, 4]]),
        (5, [0, 1, 2, 2, 3, 3, 4, 1], [[0, 1, 2], [3, 1, 4]]),  # collapsed triangles join two pieces
        (6, None, [[1, 2, 0], [2, 3, 0], [3, 4, 0]]),
        (6, [4, 1, 2], [[1, 2, 4]]),
    ],
)
def test_triangles_strips_and_fans(tmp_path, mode, corners, faces):
    positions = SQUARE[:3] if mode == 4 and corners is None else SQUARE
    file = triangle_file(positions, mode=mode)
    if corners is not None:
        file.document["meshes"][0]["primitives"][0]["indices"] = file.array(np.uint16(corners))
    np.testing.assert_array_equal(load(file, tmp_path).faces, faces)


@pytest.mark.parametrize("mode", [0, 1, 2, 3])
def test_points_and_lines_have_no_surface(tmp_path, mode):
    file = triangle_file()
    file.document["meshes"][0]["primitives"].append({"attributes": {"POSITION": 0}, "mode": mode})
    assert load(file, tmp_path).vertices.shape == (1, 3, 3)
    del file.document["meshes"][0]["primitives"][0]
    with pytest.raises(InputError, match="shows no triangles"):
        load(file, tmp_path)


def skinned_file(weights_type: str = "float32", second_set: bool = False):
    """A bar along y: joint 0 at the origin, joint 1 two above it; the mesh's node stands somewhere else."""
    file = triangle_file(np.float32([[0, 0, 0], [0, 2, 0], [0, 4, 0], [1, 4, 0]]))
    file.document["nodes"] = [
        {"children": [1, 2], "scale": [10, 10, 10]},
        {"mesh": 0, "skin": 0, "translation": [100, 100, 100]},
        {"children": [3], "translation": [0, 1, 0]},
        {"translation": [0, 2, 0]},
    ]
    inverse = np.tile(np.eye(4), (2, 1, 1))
    inverse[1, 1, 3] = -2
    ibm = file.array(inverse.transpose(0, 2, 1).astype(np.float32))
    file.document["skins"] = [{"joints": [2, 3], "inverseBindMatrices": ibm}]
    weights = np.array([[1, 0], [0.5, 0.5], [0, 1], [0, 1]])
    most = 1 if weights_type == "float32" else np.iinfo(weights_type).max
    store = {"normalized": True} if most > 1 else {}
    attributes = file.document["meshes"][0]["primitives"][0]["attributes"]
    for number in range(1 + second_set):
        share = weights / 2 if second_set else weights
        rows = np.round(np.pad(share, ((0, 0), (0, 2))) * most) if most > 1 else np.pad(share, ((0, 0), (0, 2)))
        joints = np.tile(np.array([0, 1, 0, 0], np.uint16 if number else np.uint8), (4, 1))
        attributes[f"JOINTS_{number}"] = file.array(joints)
        attributes[f"WEIGHTS_{number}"] = file.array(rows.astype(weights_type), **store)
    primitive = file.document["meshes"][0]["primitives"][0]
    primitive["indices"] = file.array(np.uint8([0, 3, 2, 1, 3, 2]))
    quarter = np.float32([[0, 0, 0, 1], [0, 0, np.sqrt(0.5), np.sqrt(0.5)]])
    animate(file, 3, "rotation", [0, 1], quarter, "STEP")
    return file


@pytest.mark.parametrize("second_set", [False, True])
@pytest.mark.parametrize("weights_type", ["float32", "uint16", "uint8"])
def test_two_bones_by_hand(tmp_path, weights_type, second_set):
    mesh = load(skinned_file(weights_type, second_set), tmp_path, frames=2, fps=1)
    # at rest: the joints' parent scales by 10 and lifts by 10, the mesh's node does nothing
    rest = [[0, 10, 0], [0, 30, 0], [0, 50, 0], [10, 50, 0]]
    np.testing.assert_allclose(mesh.vertices[0], rest, atol=1e-4)
    # joint 1 turned by 90 degrees about z at (0, 30, 0): up becomes left, right becomes up
    bent = [[0, 10, 0], [0, 30, 0], [-20, 30, 0], [-20, 40, 0]]
    np.testing.assert_allclose(mesh.vertices[1], bent, atol=0.02 if weights_type == "uint8" else 1e-3)
    np.testing.assert_allclose(mesh.root, [[0, 10, 0], [0, 10, 0]])


def test_a_vertex_between_two_bones_moves_by_the_mean_of_their_matrices(tmp_path):
    file = skinned_file()
    positions = np.float32([[0, 0, 0], [1, 3, 0], [0, 4, 0], [1, 4, 0]])
    file.document["meshes"][0]["primitives"][0]["attributes"]["POSITION"] = file.array(positions)
    mesh = load(file, tmp_path, frames=2, fps=1)
    by_first, by_second = np.array([10, 40, 0]), np.array([-10, 40, 0])
    np.testing.assert_allclose(mesh.vertices[1, 1], (by_first + by_second) / 2, atol=1e-4)


def test_morph_targets_come_before_the_skin_and_weights_can_be_animated(tmp_path):
    file = skinned_file()
    primitive = file.document["meshes"][0]["primitives"][0]
    moves = np.zeros((4, 3), np.float32)
    moves[2] = [0, 1, 0]
    primitive["targets"] = [{"POSITION": file.array(moves)}, {}]
    animate(file, 1, "weights", [0, 1], np.float32([0, 0, 1, 1]), "STEP")
    mesh = load(file, tmp_path, frames=2, fps=1)
    np.testing.assert_allclose(mesh.vertices[1, 2], [-30, 30, 0], atol=1e-3)


@pytest.mark.parametrize(
    "mesh_weights, node_weights, height", [(None, None, 0), ([0.25], None, 0.5), ([0.25], [1.5], 3)]
)
def test_default_morph_weights(tmp_path, mesh_weights, node_weights, height):
    file = triangle_file()
    file.document["meshes"][0]["primitives"][0]["targets"] = [{"POSITION": file.array(np.float32([[0, 0, 2]] * 3))}]
    if mesh_weights is not None:
        file.document["meshes"][0]["weights"] = mesh_weights
    if node_weights is not None:
        file.document["nodes"][0]["weights"] = node_weights
    np.testing.assert_allclose(load(file, tmp_path).vertices[0, :, 2], height)


@pytest.mark.parametrize("dtype, width", [("uint8", 3), ("uint16", 4), ("float32", 3)])
def test_vertex_colours_and_white_where_there_are_none(tmp_path, dtype, width):
    most = 1 if dtype == "float32" else np.iinfo(dtype).max
    rows = (np.array([[0, 0.5, 1, 1]] * 3)[:, :width] * most).astype(dtype)
    file = triangle_file()
    colours = file.array(rows, normalized=dtype != "float32")
    primitives = file.document["meshes"][0]["primitives"]
    primitives.append({"attributes": {"POSITION": 0, "COLOR_0": colours}})
    mesh = load(file, tmp_path)
    assert mesh.colours[:3].tolist() == [[255] * 3] * 3
    assert np.abs(mesh.colours[3:].astype(int) - [0, 127.5, 255]).max() <= 1


BROKEN = {
    "cycle": (lambda d: d["nodes"][3].update(children=[2]), "two parents|cycle"),
    "cycle apart": (lambda d: d["nodes"].extend([{"children": [5]}, {"children": [4]}]), "cycle"),
    "own child": (lambda d: d["nodes"].append({"children": [4]}), "cycle"),
    "missing child": (lambda d: d["nodes"][3].update(children=[77]), "child 77"),
    "child that is a text": (lambda d: d["nodes"][3].update(children=["x"]), "list of indices"),
    "missing mesh": (lambda d: d["nodes"][1].update(mesh=4), r"meshes\[4\]"),
    "missing skin": (lambda d: d["nodes"][1].update(skin=4), r"skins\[4\]"),
    "missing scene": (lambda d: d.update(scene=3), r"scenes\[3\]"),
    "scene twice": (lambda d: d["scenes"][0].update(nodes=[0, 0]), "twice"),
    "missing joint": (lambda d: d["skins"][0].update(joints=[2, 44]), "not a node"),
    "too few joints": (lambda d: d["skins"][0].update(joints=[2]), "names joint 1"),
    "rotation of length 0": (lambda d: d["nodes"][2].update(rotation=[0, 0, 0, 0]), "length 0"),
    "short matrix": (lambda d: d["nodes"][2].update(matrix=[1, 2]), "16 numbers"),
    "huge number": (lambda d: d["nodes"][2].update(translation=[10**400, 0, 0]), "finite"),
    "vertices out of range": (lambda d: d["nodes"][2].update(scale=[1e300, 1e300, 1e300]), "too large"),
    "skin without weights": (
        lambda d: d["meshes"][0]["primitives"][0]["attributes"].pop("WEIGHTS_0"),
        "only one of JOINTS_0 and WEIGHTS_0",
    ),
    "skin without joints": (
        lambda d: [d["meshes"][0]["primitives"][0]["attributes"].pop(k) for k in ("JOINTS_0", "WEIGHTS_0")],
        "has no JOINTS_0",
    ),
    "animated matrix": (
        lambda d: d["nodes"][3].update(matrix=np.eye(4).reshape(-1).tolist()),
        "which has a matrix",
    ),
    "channel beyond the samplers": (lambda d: d["animations"][0]["channels"][0].update(sampler=9), "sampler 9"),
    "interpolation": (lambda d: d["animations"][0]["samplers"][0].update(interpolation="LOG"), "'LOG'"),
    "channel twice": (
        lambda d: d["animations"][0]["channels"].append(d["animations"][0]["channels"][0]),
        "rotation of node 3 twice",
    ),
    "keys and values": (lambda d: d["animations"][0]["samplers"][0].update(input=4), "keys"),
}


@pytest.mark.parametrize("case", sorted(BROKEN))
def test_broken_graphs_are_refused(tmp_path, case):
    file = skinned_file()
    load(file, tmp_path)
    change, message = BROKEN[case]
    change(file.document)
    with pytest.raises(InputError, match=message):
        load(file, tmp_path)


def test_weights_that_are_nothing_are_refused(tmp_path):
    file = skinned_file()
    rows = np.float32([[1, 0, 0, 0], [0, 0, 0, 0], [1, 0, 0, 0], [1, 0, 0, 0]])
    file.document["meshes"][0]["primitives"][0]["attributes"]["WEIGHTS_0"] = file.array(rows)
    with pytest.raises(InputError, match="number 1"):
        load(file, tmp_path)


def test_a_file_without_scenes_shows_all_roots(tmp_path):
    file = new_file()
    file.document["meshes"] = [{"primitives": [{"attributes": {"POSITION": file.array(TRIANGLE)}}]}]
    del file.document["scenes"], file.document["scene"]
    file.document["nodes"] = [{"mesh": 0}, {"mesh": 0}]
    assert load(file, tmp_path).vertices.shape == (1, 6, 3)
