"""Arrays of a file: component types, interleaving, sparse parts, and every way they can lie."""

from __future__ import annotations

import numpy as np
import pytest

from shapegen4d_core.errors import InputError
from shapegen4d_core.importing import load_animated
from tests.importing.scenes import TRIANGLE, new_file, read_json, triangle_file, write_json

MORE = {"int8": 127, "uint8": 255, "int16": 32767, "uint16": 65535}


@pytest.mark.parametrize("normalized", [True, False])
@pytest.mark.parametrize("dtype", sorted(MORE))
def test_quantised_positions(tmp_path, dtype, normalized):
    low = np.iinfo(dtype).min
    stored = np.array([[low, 0, 1], [MORE[dtype], 2, 3], [4, 5, 6]], dtype)
    file = new_file(extensionsRequired=["KHR_mesh_quantization"], extensionsUsed=["KHR_mesh_quantization"])
    attributes = {"POSITION": file.array(stored, normalized=normalized)}
    file.document["meshes"] = [{"primitives": [{"attributes": attributes}]}]
    file.write(tmp_path / "quantised.glb")
    expected = stored / MORE[dtype] if normalized else stored.astype(float)
    found = load_animated(tmp_path / "quantised.glb").vertices[0]
    np.testing.assert_allclose(found, np.maximum(expected, -1) if normalized else expected, rtol=1e-6)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "uint32"])
def test_index_types(tmp_path, dtype):
    file = triangle_file()
    file.document["meshes"][0]["primitives"][0]["indices"] = file.array(np.array([2, 0, 1], dtype))
    file.write(tmp_path / "indexed.glb")
    np.testing.assert_array_equal(load_animated(tmp_path / "indexed.glb").faces, [[2, 0, 1]])


def test_interleaved_views(tmp_path):
    uv = np.float32([[0.1, 0.2], [0.3, 0.4], [0.5, 0.6]])
    file = triangle_file(np.concatenate([TRIANGLE, np.float32([[9, 9, 9]])]), {"TEXCOORD_0": 0})
    rows = np.concatenate([TRIANGLE, uv], axis=1)  # 20 bytes a vertex
    file.array(rows.astype(np.float32).reshape(-1))
    file.write(tmp_path / "plain.glb")
    document, rest = read_json(tmp_path / "plain.glb")
    view = len(document["bufferViews"]) - 1
    document["bufferViews"][view]["byteStride"] = 20
    document["accessors"] = [
        {"bufferView": view, "componentType": 5126, "count": 3, "type": "VEC3"},
        {"bufferView": view, "byteOffset": 12, "componentType": 5126, "count": 3, "type": "VEC2"},
    ]
    document["meshes"][0]["primitives"][0]["attributes"] = {"POSITION": 0, "TEXCOORD_0": 1}
    mesh = load_animated(write_json(tmp_path / "interleaved.glb", document, rest))
    np.testing.assert_array_equal(mesh.vertices[0], TRIANGLE)
    np.testing.assert_array_equal(mesh.uv, uv)


def test_sparse_parts_replace_rows_of_zeros_and_of_a_view(tmp_path):
    moves = np.float32([[0, 0, 0], [0, 0, 7], [0, 0, 0]])
    file = triangle_file()
    primitive = file.document["meshes"][0]["primitives"][0]
    primitive["targets"] = [{"POSITION": file.sparse(moves)}]
    file.document["meshes"][0]["weights"] = [0.5]
    file.write(tmp_path / "sparse.glb")
    np.testing.assert_array_equal(load_animated(tmp_path / "sparse.glb").vertices[0], TRIANGLE + 0.5 * moves)
    document, rest = read_json(tmp_path / "sparse.glb")
    document["accessors"][0]["sparse"] = document["accessors"][1]["sparse"]  # and on top of stored positions
    mesh = load_animated(write_json(tmp_path / "both.glb", document, rest))
    np.testing.assert_array_equal(mesh.vertices[0, 1], [0, 0, 10.5])


DAMAGE = {
    "accessor beyond its view": (lambda d: d["accessors"][0].update(byteOffset=4), "needs 40 bytes"),
    "view beyond its buffer": (lambda d: d["bufferViews"][0].update(byteLength=10**6), "ends at byte"),
    "buffer beyond the chunk": (lambda d: d["buffers"][0].update(byteLength=10**6), "only"),
    "count": (lambda d: d["accessors"][0].update(count=4), "needs 48 bytes"),
    "huge count without view": (
        lambda d: d["accessors"][0].update(count=10**10) or d["accessors"][0].pop("bufferView"),
        "GiB",
    ),
    "negative count": (lambda d: d["accessors"][0].update(count=-1), "count of accessor 0"),
    "count that is no number": (lambda d: d["accessors"][0].update(count="3"), "count of accessor 0"),
    "stride": (lambda d: d["bufferViews"][0].update(byteStride=4), "stride 4"),
    "component type": (lambda d: d["accessors"][0].update(componentType=5124), "componentType 5124"),
    "type": (lambda d: d["accessors"][0].update(type="VEC2"), "needs VEC3"),
    "missing view": (lambda d: d["accessors"][0].update(bufferView=9), r"bufferViews\[9\]"),
    "missing accessor": (
        lambda d: d["meshes"][0]["primitives"][0]["attributes"].update(POSITION=7),
        r"accessors\[7\]",
    ),
    "index": (lambda d: d["meshes"][0]["primitives"][0].update(indices=1), "index 9"),
    "float indices": (lambda d: d["meshes"][0]["primitives"][0].update(indices=2), "unsigned integers"),
    "two corners": (lambda d: d["meshes"][0]["primitives"][0].update(indices=3), "whole triangles"),
    "rows": (lambda d: d["meshes"][0]["primitives"][0]["attributes"].update(TEXCOORD_0=4), "has 2 rows"),
    "sparse count": (
        lambda d: d["accessors"][0].update(sparse={"count": 9, "indices": {}, "values": {}}),
        "sparse part of accessor 0",
    ),
    "sparse index": (
        lambda d: d["accessors"][0].update(
            sparse={"count": 1, "indices": {"bufferView": 5, "componentType": 5125}, "values": {"bufferView": 0}}
        ),
        "beyond its 3 elements",
    ),
}


@pytest.mark.parametrize("case", sorted(DAMAGE))
def test_damaged_arrays_are_refused(tmp_path, case):
    file = triangle_file()
    file.array(np.uint16([0, 1, 9]))
    file.array(np.float32([0, 1, 2]))
    file.array(np.uint16([0, 1]))
    file.array(np.zeros((2, 2), np.float32))
    file.array(np.uint32([3]))
    file.write(tmp_path / "good.glb")
    load_animated(tmp_path / "good.glb")
    document, rest = read_json(tmp_path / "good.glb")
    change, message = DAMAGE[case]
    change(document)
    with pytest.raises(InputError, match=message):
        load_animated(write_json(tmp_path / "bad.glb", document, rest))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_not_finite_are_refused(tmp_path, value):
    positions = TRIANGLE.copy()
    positions[1, 2] = value
    triangle_file(positions).write(tmp_path / "nan.glb")
    with pytest.raises(InputError, match="accessor 0 has values that are not finite"):
        load_animated(tmp_path / "nan.glb")
