"""Files that are damaged, foreign or hostile: one InputError, never anything else."""

from __future__ import annotations

import json
import struct
from copy import deepcopy

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shapegen4d_core.errors import InputError
from shapegen4d_core.export import glb_morph, write_glb
from shapegen4d_core.importing import AnimatedMesh, Material, load_animated, load_sequence
from shapegen4d_core.sequence import MeshSequence
from tests.export.shapes import changing, waving
from tests.importing.scenes import FIXTURES, read_json, triangle_file, write_json
from tests.importing.test_scene import skinned_file


def glb(document: object, version: int = 2, kind: int = 0x4E4F534A, extra: int = 0) -> bytes:
    text = json.dumps(document).encode()
    return struct.pack("<4s4I", b"glTF", version, 20 + len(text) + extra, len(text), kind) + text


CONTENTS = {
    "empty": (b"", "damaged"),
    "not JSON": (b"ply\nformat", "JSON is damaged"),
    "not text": (b"\xff\xfe\x00", "JSON is damaged"),
    "deep JSON": (b"[" * 100_000, "JSON is damaged"),
    "NaN": (b'{"asset": {"version": "2.0"}, "scene": NaN}', "NaN"),
    "no asset": (b"{}", "no asset"),
    "a list": (b"[]", "no asset"),
    "version 1": (b'{"asset": {"version": "1.0"}}', "accepted is version 2"),
    "version as number": (b'{"asset": {"version": 2.0}}', "not a text"),
    "short GLB": (b"glTF\2\0\0\0", "inside its header"),
    "GLB 1": (glb({}, version=1), "version 1"),
    "cut GLB": (glb({"asset": {}})[:-3], "ends after"),
    "chunk beyond the end": (glb({})[:12] + struct.pack("<2I", 999, 0x4E4F534A) + b"{}", "reaches beyond the end"),
    "GLB without JSON": (glb({}, kind=1), "without a JSON chunk"),
    "no buffer": (
        glb({"asset": {"version": "2.0"}, "nodes": [{"mesh": 0}], "meshes": [{"primitives": []}]}),
        "no triangles",
    ),
    "draco needed": (
        glb({"asset": {"version": "2.0"}, "extensionsRequired": ["KHR_draco_mesh_compression"]}),
        "KHR_draco_mesh_compression.*without compression",
    ),
    "meshopt needed": (
        glb({"asset": {"version": "2.0"}, "extensionsRequired": ["EXT_meshopt_compression"]}),
        "EXT_meshopt_compression.*without compression",
    ),
    "unknown extension": (
        glb({"asset": {"version": "2.0"}, "extensionsRequired": ["EXT_mesh_gpu_instancing"]}),
        "EXT_mesh_gpu_instancing.*not read",
    ),
    "extension list": (glb({"asset": {"version": "2.0"}, "extensionsRequired": 7}), "not a list of names"),
    "nodes that are none": (glb({"asset": {"version": "2.0"}, "nodes": [1]}), "nodes of the file"),
}


@pytest.mark.parametrize("case", sorted(CONTENTS))
def test_refused_files(tmp_path, case):
    content, message = CONTENTS[case]
    path = tmp_path / "bad.glb"
    path.write_bytes(content)
    for load in (load_animated, load_sequence):
        with pytest.raises(InputError, match=message) as caught:
            load(path)
        assert str(path) in str(caught.value) and str(caught.value).count("\n") == 0
        assert str(caught.value).endswith(".") and len(str(caught.value)) < 400


def test_absent_files_and_folders_are_refused(tmp_path):
    for path in (tmp_path / "absent.glb", tmp_path):
        with pytest.raises(InputError, match="does not exist"):
            load_animated(path)


def test_draco_without_being_required_is_refused_too(tmp_path):
    file = triangle_file(extensions={"KHR_draco_mesh_compression": {"bufferView": 0}})
    file.write(tmp_path / "a.glb")
    with pytest.raises(InputError, match="KHR_draco_mesh_compression"):
        load_animated(tmp_path / "a.glb")


def test_meshopt_without_being_required_is_refused_too(tmp_path):
    triangle_file().write(tmp_path / "a.glb")
    document, rest = read_json(tmp_path / "a.glb")
    document["buffers"].append({"byteLength": 36, "extensions": {"EXT_meshopt_compression": {"fallback": True}}})
    document["bufferViews"][0]["buffer"] = 1
    with pytest.raises(InputError, match="EXT_meshopt_compression"):
        load_animated(write_json(tmp_path / "b.glb", document, rest))


def test_more_vertices_than_memory_should_hold_are_refused(tmp_path):
    file = triangle_file()
    file.document["accessors"] = []
    file.write(tmp_path / "a.glb")
    document, rest = read_json(tmp_path / "a.glb")
    document["accessors"] = [{"componentType": 5126, "count": 3_000_000, "type": "VEC3"}]
    with pytest.raises(InputError, match="set fewer frames"):
        load_animated(write_json(tmp_path / "b.glb", document, rest), frames=100)
    document["nodes"] = [{"mesh": 0} for _ in range(4)]
    document["scenes"] = [{"nodes": [0, 1, 2, 3]}]
    with pytest.raises(InputError, match="12000000 vertices"):
        load_animated(write_json(tmp_path / "b.glb", document, rest))


def test_more_triangles_than_memory_should_hold_are_refused(tmp_path):
    file = triangle_file()
    file.write(tmp_path / "a.glb")
    document, rest = read_json(tmp_path / "a.glb")
    document["accessors"].append({"componentType": 5121, "count": 3_000_000, "type": "SCALAR"})  # takes no bytes
    document["meshes"][0]["primitives"][0]["indices"] = len(document["accessors"]) - 1
    document["nodes"] = [{"mesh": 0} for _ in range(100)]
    document["scenes"] = [{"nodes": list(range(100))}]
    with pytest.raises(InputError, match="100000000 triangles"):
        load_animated(write_json(tmp_path / "b.glb", document, rest))


def test_more_pieces_than_anyone_shows_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("shapegen4d_core.importing.scene.PIECE_LIMIT", 1000)
    triangle_file().write(tmp_path / "a.glb")
    document, rest = read_json(tmp_path / "a.glb")
    document["meshes"][0]["primitives"] *= 100
    document["nodes"] = [{"mesh": 0} for _ in range(11)]
    document["scenes"] = [{"nodes": list(range(11))}]
    with pytest.raises(InputError, match="over 1000 pieces"):
        load_animated(write_json(tmp_path / "b.glb", document, rest))


def test_chains_of_nodes_deeper_than_the_stack_are_read(tmp_path):
    file = triangle_file()
    file.document["nodes"] = [{"children": [i + 1], "translation": [0, 0, 1]} for i in range(3000)] + [{"mesh": 0}]
    file.write(tmp_path / "deep.glb")
    assert load_animated(tmp_path / "deep.glb").vertices[0, 0].tolist() == [0, 0, 3000]


@pytest.fixture(scope="module")
def samples(tmp_path_factory) -> list[bytes]:
    folder = tmp_path_factory.mktemp("samples")
    skinned_file(second_set=True).write(folder / "skin.glb")
    write_glb(changing(3, 8.0), folder / "flip.glb", root_motion="translation")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(glb_morph, "MOST_TARGETS", 2)
        options = {"quantize": True, "root_motion": "rigid", "loop": "ping-pong", "texture_format": "webp"}
        write_glb(one_corner_moves(6), folder / "turns.glb", **options)
    return [(folder / name).read_bytes() for name in ("skin.glb", "flip.glb", "turns.glb")] + [
        (FIXTURES / "simple_skin.gltf").read_bytes()
    ]


def one_corner_moves(frame_count: int) -> MeshSequence:
    plain, uv = waving(frame_count), np.zeros((42, 2), np.float32)
    frames = tuple(np.concatenate([frame[:9], plain.vertices[0][9:]]) for frame in plain.vertices)
    return MeshSequence(frames, plain.faces, 8.0, uv=uv, texture=np.zeros((2, 2, 3), np.uint8))


def valid_or_refused(path) -> None:
    try:
        mesh = load_animated(path, frames=3)
    except InputError as error:
        assert "\n" not in str(error)
    else:
        assert isinstance(mesh, AnimatedMesh) and np.isfinite(mesh.vertices).all()
        assert len(mesh.faces) == 0 or mesh.faces.max() < mesh.vertices.shape[1]
    try:
        load_sequence(path)  # a MeshSequence checks itself
    except InputError as error:
        assert "\n" not in str(error)


FUZZ = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))


@FUZZ
@given(data=st.data())
def test_flipped_bytes_and_cuts_give_a_mesh_or_an_input_error(samples, tmp_path_factory, data):
    content = bytearray(data.draw(st.sampled_from(samples)))
    for _ in range(data.draw(st.integers(0, 6))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.one_of(st.none(), st.integers(0, len(content))))
    path = tmp_path_factory.getbasetemp() / "fuzzed.glb"
    path.write_bytes(bytes(content[:cut]))
    valid_or_refused(path)


ODD = st.one_of(
    st.none(), st.booleans(), st.integers(-2, 2**40), st.floats(allow_nan=False), st.text(max_size=3),
    st.lists(st.integers(-1, 9), max_size=3), st.just({}), st.just([{}]),
)  # fmt: skip


@FUZZ
@given(data=st.data())
def test_odd_values_anywhere_in_the_json_give_a_mesh_or_an_input_error(samples, tmp_path_factory, data):
    source = data.draw(st.sampled_from(samples[:3]))
    path = tmp_path_factory.getbasetemp() / "odd.glb"
    path.write_bytes(source)
    document, rest = read_json(path)
    for _ in range(data.draw(st.integers(1, 3))):
        place, key = document, data.draw(st.sampled_from(sorted(document)))
        while isinstance(place[key], (dict, list)) and place[key] and data.draw(st.integers(0, 4)):
            place = place[key]
            key = data.draw(st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place))))
        place[key] = deepcopy(data.draw(ODD))
    valid_or_refused(write_json(path, document, rest))


@pytest.mark.parametrize(
    "change, message",
    [
        ({"vertices": np.zeros((2, 3, 3))}, "vertices is float64"),
        ({"vertices": np.zeros((0, 3, 3), np.float32)}, "no frames"),
        ({"faces": np.int32([[0, 1, 3]])}, r"faces spans 0\.\.3"),
        ({"face_material": np.int32([1])}, "face_material spans"),
        ({"uv": np.zeros((2, 2), np.float32)}, "uv is"),
        ({"colours": np.zeros((3, 4), np.uint8)}, "colours is"),
        ({"root": np.zeros((1, 3), np.float32)}, "root is"),
        ({"fps": 0.0}, "fps is 0.0"),
    ],
)
def test_the_value_checks_itself(change, message):
    good = {
        "vertices": np.zeros((2, 3, 3), np.float32),
        "faces": np.int32([[0, 1, 2]]),
        "fps": 8.0,
        "name": "x",
        "face_material": np.int32([0]),
        "materials": (Material("m"),),
    }
    assert AnimatedMesh(**good).frame_count == 2
    with pytest.raises(InputError, match=message):
        AnimatedMesh(**{**good, **change})
