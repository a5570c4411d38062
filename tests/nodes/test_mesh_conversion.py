"""Mesh sequences to the core's meshes and back."""

from __future__ import annotations

import numpy as np
import pytest
import torch


@pytest.fixture
def textured(core):
    """A square of one topology in three frames, with normals, uv and a texture."""
    corners = np.float32([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]])
    frames = tuple(corners + np.float32([0.5 * frame, 0, 0]) for frame in range(3))
    faces = np.int32([[0, 1, 2], [0, 2, 3]])
    return core("sequence").MeshSequence(
        frames, (faces,) * 3, 12.5, "mesh", normals=(np.float32([[0, 0, 1]] * 4),) * 3,
        uv=np.float32([[0, 0], [1, 0], [1, 0.75], [0, 0.75]]), texture=np.arange(48, dtype=np.uint8).reshape(4, 4, 3),
    )  # fmt: skip


def same(one, other):
    assert one.fps == other.fps
    for key in ("vertices", "faces", "normals"):
        ours, theirs = getattr(one, key), getattr(other, key)
        assert (ours is None) == (theirs is None)
        assert all(np.array_equal(a, b) for a, b in zip(ours or (), theirs or (), strict=True)), key
    for key in ("uv", "texture"):
        assert np.array_equal(getattr(one, key), getattr(other, key)), key


def test_generated_meshes_come_back_exactly(run, chain):
    mesh, fps, frames = run("MeshSequenceToMesh", meshes=chain["meshes"]).result
    assert (fps, frames) == (chain["meshes"].fps, 4) and mesh.vertices.shape[0] == 4 and mesh.unlit is False
    assert mesh.vertex_counts.tolist() == [len(frame) for frame in chain["meshes"].vertices]
    meshes, frames, report = run("MeshToMeshSequence", mesh=mesh, fps=fps).result
    same(meshes, chain["meshes"])
    assert frames == 4 and report.startswith("4 frames at") and "a topology of its own per frame" in report


def test_a_textured_sequence_comes_back_exactly(run, textured):
    mesh, fps, _ = run("MeshSequenceToMesh", meshes=textured, unlit=True).result
    assert mesh.unlit is True and mesh.vertex_counts is None and mesh.texture.shape == (3, 4, 4, 3)
    meshes, _, report = run("MeshToMeshSequence", mesh=mesh, fps=fps).result
    same(meshes, textured)
    assert report == "3 frames at 12.5 per second, one topology, normals, uv, texture."


def test_meshes_of_other_nodes(run, textured):
    """As lists, in half precision, without a batch, with more than a sequence holds."""
    from comfy_api.latest import Types

    mesh = run("MeshSequenceToMesh", meshes=textured).result[0]
    listed = Types.MESH(list(mesh.vertices.half()), list(mesh.faces.int()), vertex_colors=list(torch.rand(3, 4, 4)))
    meshes, frames, report = run("MeshToMeshSequence", mesh=listed).result
    assert frames == 3 and meshes.fps == 24 and np.array_equal(meshes.vertices[2], textured.vertices[2])
    assert report.splitlines()[1:] == [
        "Vertex colours are left out: a mesh sequence has none. Bake them into a texture first."
    ]
    single = Types.MESH(mesh.vertices[1], mesh.faces[1], uvs=mesh.uvs[1], texture=mesh.texture[1])
    single.normal_map = torch.zeros(1, 4, 4, 3)
    meshes, frames, report = run("MeshToMeshSequence", mesh=single).result
    assert frames == 1 and np.array_equal(meshes.vertices[0], textured.vertices[1])
    assert np.array_equal(meshes.uv, textured.uv) and np.array_equal(meshes.texture, textured.texture)
    assert report.splitlines()[1:] == ["The normal map is left out."]
    shared = Types.MESH(mesh.vertices, mesh.faces, uvs=mesh.uvs[:1], texture=mesh.texture[:1])
    assert np.array_equal(run("MeshToMeshSequence", mesh=shared).result[0].texture, textured.texture)


def test_a_mesh_without_faces_is_one_sentence(run):
    from comfy_api.latest import Types

    for mesh in (Types.MESH(torch.zeros(1, 4, 3), None), Types.MESH(None, None)):
        with pytest.raises(ValueError, match="mesh has no vertices or no faces; connect a mesh of triangles"):
            run("MeshToMeshSequence", mesh=mesh)


def test_parts_for_some_of_the_meshes_only_are_one_sentence(run):
    from comfy_api.latest import Types

    faces = torch.tensor([[[0, 1, 2]]]).expand(3, -1, -1)
    mesh = Types.MESH(torch.zeros(3, 4, 3), faces, uvs=torch.zeros(2, 4, 2))
    with pytest.raises(ValueError, match="mesh has 3 meshes but 2 of uvs; connect"):
        run("MeshToMeshSequence", mesh=mesh)
