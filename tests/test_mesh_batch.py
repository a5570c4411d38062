"""Sequences as padded batches and back: exactly the same, or a sentence about what is lost."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings

from shapegen4d_core.errors import InputError
from shapegen4d_core.mesh_batch import MeshItem, from_items, to_batch
from shapegen4d_core.sequence import MeshSequence
from tests.test_sequence import assert_same_meshes, meshes

FACES = np.int32([[0, 1, 2], [0, 2, 3]])
UV = np.float32([[0, 0.25], [1, 0.5], [0.5, 1], [0.25, 0]])
TEXTURE = np.arange(48, dtype=np.uint8).reshape(4, 4, 3) * 5


def square(count=3, **given):
    generator = np.random.default_rng(0)
    frames = tuple(generator.normal(size=(4, 3)).astype(np.float32) for _ in range(count))
    return MeshSequence(frames, (FACES,) * count, 8.0, "mesh", **given)


def items(batch):
    """The meshes of a batch without what fills it up, read independently of the node."""
    found = []
    for index in range(len(batch.vertices)):
        rows = None if batch.vertex_counts is None else int(batch.vertex_counts[index])
        faces = None if batch.face_counts is None else int(batch.face_counts[index])
        uv = None if batch.uvs is None else batch.uvs[index, :rows].numpy()
        normals = None if batch.normals is None else batch.normals[index, :rows].numpy()
        texture = None if batch.texture is None else batch.texture[index].numpy()
        vertices, triangles = batch.vertices[index, :rows].numpy(), batch.faces[index, :faces].numpy()
        found.append(MeshItem(vertices, triangles, uv, None, normals, texture))
    return found


@given(meshes())
@settings(max_examples=60, deadline=None)
def test_there_and_back_is_exact(sequence):
    back, lost = from_items(items(to_batch(sequence)), sequence.fps, sequence.name)
    assert_same_meshes(back, replace(sequence, settings={}))
    assert lost == []


@given(meshes(fixed=True))
@settings(max_examples=30, deadline=None)
def test_one_topology_is_one_piece_of_memory_without_counts(sequence):
    batch = to_batch(sequence)
    assert batch.vertex_counts is None and batch.face_counts is None
    assert batch.faces.dtype == torch.int64 and batch.faces.stride(0) == 0 or sequence.frame_count == 1
    back, _ = from_items(items(batch), sequence.fps)
    assert back.fixed_topology and all(frame is back.faces[0] for frame in back.faces)


def test_frames_of_different_size_are_filled_up_and_counted():
    sequence = square(2)
    sequence = replace(sequence, vertices=(sequence.vertices[0], sequence.vertices[1][:3]), faces=(FACES, FACES[:1]))
    batch = to_batch(sequence)
    assert batch.vertices.shape == (2, 4, 3) and batch.faces.shape == (2, 2, 3)
    assert batch.vertex_counts.tolist() == [4, 3] and batch.face_counts.tolist() == [2, 1]
    assert batch.vertices[1, 3].tolist() == [0, 0, 0] and batch.faces[1, 1].tolist() == [0, 0, 0]


def test_other_faces_of_the_same_number_need_no_counts():
    batch = to_batch(replace(square(2), faces=(FACES, FACES[:, ::-1].copy())))
    assert batch.vertex_counts is None and batch.faces[0].tolist() != batch.faces[1].tolist()


def test_uv_point_down_outside_and_the_texture_comes_back_exactly():
    every_value = np.arange(256, dtype=np.uint8).repeat(3).reshape(16, 16, 3)
    sequence = square(uv=UV, texture=every_value)
    batch = to_batch(sequence)
    assert batch.uvs[2].tolist() == [[0, 0.75], [1, 0.5], [0.5, 0], [0.25, 1]]
    assert batch.texture.shape == (3, 16, 16, 3) and batch.texture.stride(0) == 0
    assert float(batch.texture.min()) == 0 and float(batch.texture.max()) == 1
    back, lost = from_items(items(batch), 8.0)
    assert_same_meshes(back, sequence)
    assert lost == []


def test_any_uv_is_right_to_a_rounding_and_then_stays():
    uv = np.random.default_rng(1).random((4, 2)).astype(np.float32)
    once, _ = from_items(items(to_batch(square(uv=uv))), 8.0)
    assert np.abs(once.uv - uv).max() <= 2.0**-25
    twice, _ = from_items(items(to_batch(once)), 8.0)
    assert np.array_equal(twice.uv, once.uv)


def test_alpha_of_a_texture_is_left_out_and_the_sequence_stays_as_it_is():
    alpha = np.concatenate([TEXTURE, np.full((4, 4, 1), 9, np.uint8)], axis=2)
    sequence = square(uv=UV, texture=alpha)
    kept = [frame.copy() for frame in sequence.vertices]
    batch = to_batch(sequence)
    back, _ = from_items(items(batch), 8.0)
    assert np.array_equal(back.texture, TEXTURE)
    batch.vertices.add_(1)
    assert all(np.array_equal(old, new) for old, new in zip(kept, sequence.vertices))


def one(**given):
    return MeshItem(np.zeros((4, 3)), FACES.astype(np.int64), **given)


@pytest.mark.parametrize(
    ("batch", "kept", "message"),
    [
        ([one(uv=UV), one(uv=UV + 1)], (False, False), "uv and texture are left out"),
        ([one(uv=UV), one()], (False, False), "uv and texture are left out"),
        ([one(uv=UV), MeshItem(np.zeros((4, 3)), FACES[::-1], uv=UV)], (False, False), "need meshes of one topology"),
        ([one(uv=UV, texture=TEXTURE / 255), one(uv=UV, texture=TEXTURE / 200)], (True, False), "not the same in all"),
        ([one(texture=TEXTURE / 255)] * 2, (False, False), "the meshes have no uv"),
        ([one(colours=np.ones((4, 3)))], (False, False), "Vertex colours are left out"),
        ([one(uv=UV, texture=TEXTURE / 255)] * 2, (True, True), None),
    ],
)
def test_what_a_sequence_cannot_hold_is_told(batch, kept, message):
    sequence, lost = from_items(batch, 8.0)
    assert (sequence.uv is not None, sequence.texture is not None) == kept
    assert [message in line for line in lost] == [True] if message else lost == []


def test_number_types_of_others_are_taken():
    item = MeshItem(np.ones((3, 3), np.float64), np.array([[0, 1, 2]], np.int64), normals=np.ones((3, 3), np.float16))
    sequence, _ = from_items([item], 5.0, "theirs")
    assert sequence.name == "theirs" and sequence.normals[0].dtype == np.float32 and sequence.faces[0].dtype == np.int32


def test_faces_too_large_for_their_type_are_no_other_faces():
    item = MeshItem(np.zeros((4, 3), np.float32), FACES.astype(np.int64) + 2**33)
    with pytest.raises(InputError, match=r"Mesh 0 has faces of vertices 8589934592 to 8589934595; its faces are dam"):
        from_items([item], 8.0)


def test_no_meshes_are_refused():
    with pytest.raises(InputError, match="There is no mesh in this batch"):
        from_items([], 8.0)
    with pytest.raises(InputError, match="faces"):
        from_items([MeshItem(np.zeros((2, 3)), FACES)], 8.0)


def test_texels_are_rounded_to_the_nearest_and_clipped():
    texture = np.float32([[[-1, 1.4 / 255, 1.6 / 255], [0.5, 254.7 / 255, 7]]])
    sequence, _ = from_items([one(uv=UV, texture=texture)], 8.0)
    assert sequence.texture.tolist() == [[[0, 1, 2], [128, 255, 255]]]
