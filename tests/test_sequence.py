"""Values: constructors refuse what is wrong, files give back exactly what was saved."""

from __future__ import annotations

import json
import os

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from safetensors import safe_open
from safetensors.numpy import save_file

from shapegen4d_core import storage
from shapegen4d_core.errors import InputError
from shapegen4d_core.sequence import Camera, Clip, ImageTokens, LatentSequence, MeshSequence

quick = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
finite = st.floats(-(2.0**127), 2.0**127, width=32)
names = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
rates = st.floats(0.01, 1000)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | names,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=6,
)
settings_dicts = st.dictionaries(names, json_values, max_size=3)


@st.composite
def meshes(draw, fixed=False):
    """A sequence of 1..4 frames with 0..6 vertices and 0..5 triangles, with or without normals."""
    count = draw(st.integers(1, 4))
    sizes = [draw(st.integers(0, 6)) for _ in range(1 if fixed else count)]
    sizes = sizes * count if fixed else sizes
    vertices = [draw(hnp.arrays(np.float32, (size, 3), elements=finite)) for size in sizes]
    faces = []
    for size in sizes:
        rows = draw(st.integers(0, 5)) if size else 0
        faces.append(draw(hnp.arrays(np.int32, (rows, 3), elements=st.integers(0, max(size - 1, 0)))))
    faces = [faces[0]] * count if fixed else faces
    normals = tuple(np.ones_like(frame) for frame in vertices) if draw(st.booleans()) else None
    labels = {"fps": draw(rates), "name": draw(names), "settings": draw(settings_dicts)}
    return MeshSequence(tuple(vertices), tuple(faces), normals=normals, **labels)


def triangle(**options):
    points = np.array([[0, 0, 0], [1, 0, 0], [0, 2, 0]], np.float32)
    return MeshSequence((points, points + 1), (np.array([[0, 1, 2]], np.int32),) * 2, 12.0, **options)


def assert_same_meshes(left, right):
    assert (left.fps, left.name, left.settings) == (right.fps, right.name, right.settings)
    for key in ("vertices", "faces", "normals"):
        ours, theirs = getattr(left, key), getattr(right, key)
        assert (ours is None) == (theirs is None)
        for a, b in zip(ours or (), theirs or (), strict=True):
            assert a.dtype == b.dtype
            np.testing.assert_array_equal(a, b)
    for a, b in ((left.uv, right.uv), (left.texture, right.texture)):
        assert (a is None) == (b is None)
        assert a is None or (a.dtype == b.dtype and np.array_equal(a, b))


@quick
@given(sequence=meshes() | meshes(fixed=True))
def test_mesh_sequence_round_trip(sequence, tmp_path):
    sequence.save(tmp_path / "m.safetensors")
    again = MeshSequence.load(tmp_path / "m.safetensors")
    assert_same_meshes(sequence, again)
    assert again.fixed_topology == sequence.fixed_topology
    if sequence.fixed_topology:
        assert all(frame is again.faces[0] for frame in again.faces)
    assert os.listdir(tmp_path) == ["m.safetensors"]


@quick
@given(fps=rates, name=names, options=settings_dicts, data=hnp.arrays(np.float32, (2, 3, 1), elements=finite))
def test_token_and_latent_round_trips(fps, name, options, data, tmp_path):
    path = tmp_path / "v.safetensors"
    LatentSequence(torch.from_numpy(data), fps, name, "tiny", options).save(path)
    latents = LatentSequence.load(path)
    assert torch.equal(latents.latents, torch.from_numpy(data))
    assert (latents.fps, latents.name, latents.model, latents.settings) == (fps, name, "tiny", options)
    ImageTokens(torch.from_numpy(data), fps, name, "tiny").save(path)
    tokens = ImageTokens.load(path)
    assert torch.equal(tokens.tokens, torch.from_numpy(data))
    assert (tokens.fps, tokens.name, tokens.model) == (fps, name, "tiny")


@pytest.mark.parametrize(("crop", "size"), [(None, None), ((-3.5, 2.0, 17.25), (40, 30))])
def test_clip_round_trip(crop, size, tmp_path):
    frames = torch.rand(3, 4, 5, 4).transpose(1, 2)
    Clip(frames, 29.97, "K\u00e4fer \u866b", crop, size).save(tmp_path / "c.safetensors")
    again = Clip.load(tmp_path / "c.safetensors")
    assert torch.equal(again.frames, frames)
    assert (again.fps, again.name, again.crop, again.source_size) == (29.97, "K\u00e4fer \u866b", crop, size)


def test_texture_uv_and_shared_faces_are_stored_once(tmp_path):
    texture = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    sequence = triangle(uv=np.eye(3, 2, dtype=np.float32), texture=texture)
    sequence.save(tmp_path / "m.safetensors")
    assert_same_meshes(sequence, MeshSequence.load(tmp_path / "m.safetensors"))
    with safe_open(tmp_path / "m.safetensors", "numpy") as file:
        assert file.get_tensor("faces").shape == (1, 3)
        assert file.metadata()["kind"] == "MeshSequence"
        assert json.loads(file.metadata()["fps"]) == 12.0


def test_mesh_sequence_properties():
    sequence = triangle()
    assert (sequence.frame_count, sequence.duration, sequence.fixed_topology) == (2, 2 / 12, True)
    np.testing.assert_array_equal(sequence.bounds(), [[0, 0, 0], [2, 3, 1]])
    empty = np.zeros((0, 3), np.float32)
    none = np.zeros((0, 3), np.int32)
    mixed = MeshSequence((sequence.vertices[0], empty), (sequence.faces[0], none), 1.0)
    assert not mixed.fixed_topology
    np.testing.assert_array_equal(mixed.bounds(), [[0, 0, 0], [1, 2, 0]])
    with pytest.raises(InputError, match="no vertices"):
        MeshSequence((empty,), (none,), 1.0).bounds()


def mesh_with(**changes):
    base = {"vertices": (np.zeros((3, 3), np.float32),), "faces": (np.array([[0, 1, 2]], np.int32),)}
    return MeshSequence(**(base | {"fps": 1.0} | changes))


REFUSED = {
    "clip shape": (lambda: Clip(torch.zeros(2, 4, 4, 3), 1.0), r"\[2, 4, 4, 3\].*\[T,H,W,4\]"),
    "clip empty": (lambda: Clip(torch.zeros(0, 4, 4, 4), 1.0), "nothing empty"),
    "clip dtype": (lambda: Clip(torch.zeros(1, 4, 4, 4, dtype=torch.uint8), 1.0), "torch.float32"),
    "clip range": (lambda: Clip(torch.full((1, 4, 4, 4), 255.0), 1.0), "divide 8-bit values by 255"),
    "clip numpy": (lambda: Clip(np.zeros((1, 4, 4, 4), np.float32), 1.0), "ndarray"),
    "clip nan": (lambda: Clip(torch.full((1, 4, 4, 4), float("nan")), 1.0), "not finite"),
    "clip crop": (lambda: Clip(torch.zeros(1, 4, 4, 4), 1.0, crop=(0.0, 0.0)), "3 finite numbers"),
    "clip side": (lambda: Clip(torch.zeros(1, 4, 4, 4), 1.0, crop=(0.0, 0.0, 0.0)), "is empty"),
    "fps": (lambda: ImageTokens(torch.zeros(1, 1, 1), 0.0, "a", "b"), "positive number of frames per second"),
    "fps nan": (lambda: ImageTokens(torch.zeros(1, 1, 1), float("nan"), "a", "b"), "positive"),
    "name": (lambda: ImageTokens(torch.zeros(1, 1, 1), 1.0, "\ud800", "b"), "UTF-8"),
    "settings": (lambda: LatentSequence(torch.zeros(1, 1, 1), 1.0, "a", "b", {"x": {1}}), "JSON"),
    "nan setting": (lambda: LatentSequence(torch.zeros(1, 1, 1), 1.0, "a", "b", {"x": float("nan")}), "JSON"),
    "no frames": (lambda: mesh_with(vertices=(), faces=()), "at least one frame"),
    "face dtype": (lambda: mesh_with(faces=(np.zeros((1, 3), np.int64),)), "int64.*int32"),
    "face range": (lambda: mesh_with(faces=(np.array([[0, 1, 3]], np.int32),)), r"0\.\.3.*frame 0 has 3"),
    "face sign": (lambda: mesh_with(faces=(np.array([[0, 1, -1]], np.int32),)), r"-1\.\.1"),
    "vertex shape": (lambda: mesh_with(vertices=(np.zeros((3, 2), np.float32),)), r"\[V,3\]"),
    "vertex nan": (lambda: mesh_with(vertices=(np.full((3, 3), np.nan, np.float32),)), "not finite"),
    "normals": (lambda: mesh_with(normals=(np.zeros((2, 3), np.float32),)), "one normal per vertex"),
    "uv": (lambda: mesh_with(uv=np.zeros((2, 2), np.float32)), "one row per vertex"),
    "texture": (lambda: mesh_with(texture=np.zeros((2, 2, 3), np.uint8)), "without uv"),
    "fov": (lambda: Camera(0, 0, 1, (0, 0, 0), 180, 4, 4), "fov_degrees is 180"),
    "radius": (lambda: Camera(0, 0, 0, (0, 0, 0), 40, 4, 4), "radius is 0"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_constructors_refuse_in_one_sentence(case):
    build, message = REFUSED[case]
    with pytest.raises(InputError, match=message) as caught:
        build()
    assert "\n" not in str(caught.value)


def test_other_kind_version_and_origin(tmp_path):
    path = tmp_path / "x.safetensors"
    triangle().save(path)
    with pytest.raises(InputError, match="holds a MeshSequence, but a Clip is needed"):
        Clip.load(path)
    save_file({"a": np.zeros(1, np.float32)}, path)
    with pytest.raises(InputError, match="holds no ShapeGen4D value"):
        Clip.load(path)
    save_file({}, path, metadata={"kind": "Clip", "version": "99"})
    with pytest.raises(InputError, match="format version 99"):
        Clip.load(path)
    save_file({}, path, metadata={"kind": "Clip", "version": "1", "fps": "{"})
    with pytest.raises(InputError, match="fps is not JSON"):
        Clip.load(path)
    header = {"kind": "Clip", "version": "1", "fps": "1"}
    save_file({"frames": np.zeros((1, 2, 2, 3), np.float32)}, path, metadata=header)
    with pytest.raises(InputError, match="does not describe a Clip"):
        Clip.load(path)
    with pytest.raises(InputError, match="is not a file"):
        Clip.load(tmp_path)


@quick
@given(content=st.binary(max_size=200))
def test_random_bytes_are_one_sentence(content, tmp_path):
    path = tmp_path / "x.safetensors"
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        MeshSequence.load(path)
    assert "\n" not in str(caught.value)


@quick
@given(keep=st.floats(0, 0.999), position=st.floats(0, 0.999), byte=st.integers(1, 255))
def test_truncated_or_changed_files_never_crash(keep, position, byte, tmp_path):
    path = tmp_path / "x.safetensors"
    triangle().save(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(keep * len(whole))])
    with pytest.raises(InputError, match="damaged"):
        MeshSequence.load(path)
    changed = bytearray(whole)
    changed[int(position * len(whole))] ^= byte
    path.write_bytes(changed)
    try:
        MeshSequence.load(path)  # a changed coordinate is still a sequence
    except InputError as error:
        assert "\n" not in str(error)


def test_failed_write_leaves_the_old_file_and_no_temporary(tmp_path, monkeypatch):
    path = tmp_path / "x.safetensors"
    triangle(name="old").save(path)

    def break_midway(target, arrays, metadata, check):
        target.write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(storage, "write_tensors", break_midway)
    with pytest.raises(KeyboardInterrupt):
        triangle(name="new").save(path)
    assert os.listdir(tmp_path) == ["x.safetensors"]
    assert MeshSequence.load(path).name == "old"
    with pytest.raises(InputError, match="does not exist; create it first"):
        triangle().save(tmp_path / "none" / "x.safetensors")
    with pytest.raises(InputError, match="it is a folder"):
        triangle().save(tmp_path)


@pytest.mark.parametrize(
    ("yaw", "pitch", "eye"),
    [
        (0, 0, (0, 0, 2)),
        (90, 0, (2, 0, 0)),
        (180, 0, (0, 0, -2)),
        (0, 90, (0, 2, 0)),
        (0, -90, (0, -2, 0)),
        (45, 0, (2**0.5, 0, 2**0.5)),
    ],
)
def test_camera_positions(yaw, pitch, eye):
    camera = Camera(yaw, pitch, 2.0, (1.0, -1.0, 0.5), 40.0, 8, 4)
    np.testing.assert_allclose(camera.eye(), np.add(eye, (1, -1, 0.5)), atol=1e-12)
    np.testing.assert_allclose(camera.view_matrix() @ [1, -1, 0.5, 1], [0, 0, -2, 1], atol=1e-12)
    turn = camera.view_matrix()[:3, :3]
    np.testing.assert_allclose(turn @ turn.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(turn) == pytest.approx(1.0)
    assert turn[1, 1] >= -1e-12  # never upside down


def test_camera_projection_matches_its_focal_length(tmp_path):
    camera = Camera(30.0, 20.0, 3.0, (0.0, 0.0, 0.0), 50.0, 320, 200)
    projection = camera.projection_matrix(0.5, 9.0)
    clip = projection @ [0.3, 0.2, -2.0, 1.0]
    assert clip[0] / clip[3] * 160 == pytest.approx(camera.focal_pixels * 0.3 / 2)
    assert clip[1] / clip[3] * 100 == pytest.approx(camera.focal_pixels * 0.2 / 2)
    for distance, depth in ((0.5, -1.0), (9.0, 1.0)):
        x, y, z, w = projection @ [0, 0, -distance, 1]
        assert z / w == pytest.approx(depth)
    up = camera.view_matrix()[:3, :3] @ [0, 1, 0]
    assert up[0] == pytest.approx(0) and up[1] > 0
    camera.save(tmp_path / "camera.safetensors")
    assert Camera.load(tmp_path / "camera.safetensors") == camera


def test_a_written_file_has_the_permissions_of_any_new_file(tmp_path):
    plain = tmp_path / "plain"
    plain.touch()
    Clip(torch.rand(1, 4, 4, 4), 8.0).save(tmp_path / "clip.safetensors")
    assert (tmp_path / "clip.safetensors").stat().st_mode == plain.stat().st_mode
