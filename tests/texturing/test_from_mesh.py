"""A textured mesh gives its colours to a sequence of another topology, and refuses when it does not fit."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
import trimesh
from PIL import Image

from shapegen4d_core.errors import Cancelled, InputError
from shapegen4d_core.export import write_glb
from shapegen4d_core.geometry.similarity import Similarity, azimuth_rotation
from shapegen4d_core.texturing import SourceMesh, TextureSettings, source_from, texture_from_mesh, texture_from_video
from shapegen4d_core.texturing.from_mesh import align, axis_turns
from shapegen4d_core.texturing.texels import surface_texels
from tests.texturing.conftest import ball, paint, painted, stage

SMALL = TextureSettings(size=256, symmetry=False, refine_passes=1)


def finer_ball():
    """The same surface with other triangles."""
    vertices, faces = ball()
    mesh = trimesh.Trimesh(vertices, faces, process=False).subdivide()
    return np.asarray(mesh.vertices, np.float32), np.asarray(mesh.faces, np.int32)


@pytest.fixture(scope="module")
def source():
    """The finer ball with a texture."""
    vertices, faces, uv, page, *_ = painted(*finer_ball(), paint)
    return SourceMesh(vertices, faces, uv, (page,))


def error_of(result):
    """Mean difference 0..1 of all texels from the colours of the places they show in the first frame."""
    texels = surface_texels(result.meshes.faces[0], result.meshes.uv, 256)
    points = texels.mix(result.meshes.vertices[0], result.meshes.faces[0])
    found = result.meshes.texture.reshape(-1, 3)[texels.pixel] / 255
    return np.abs(found - paint(points)).mean()


def test_colours_travel_to_another_topology(turning, source):
    result = texture_from_mesh(turning.bare, source, SMALL)
    assert error_of(result) < 0.01
    assert result.report.shares["given"] > 0.99 and result.meshes.frame_count == 3
    assert "half boxes from the first frame" in result.report.text()


def test_files_trimesh_and_vertex_colours(turning, source, tmp_path):
    sequence = replace(
        turning.painted, vertices=(source.vertices,), faces=(source.faces,), uv=source.uv.astype(np.float32),
        texture=source.textures[0],
    )  # fmt: skip
    path = tmp_path / "source.glb"
    write_glb(sequence, path)
    assert error_of(texture_from_mesh(turning.bare, path, SMALL)) < 0.01
    picture = Image.open(io.BytesIO(_png(source.textures[0])))
    visual = trimesh.visual.TextureVisuals(source.uv, image=picture)
    mesh = trimesh.Trimesh(source.vertices, source.faces, visual=visual, process=False)
    assert error_of(texture_from_mesh(turning.bare, mesh, SMALL)) < 0.01
    vertices, faces = finer_ball()
    colours = (paint(vertices) * 255).astype(np.uint8)
    plain = trimesh.Trimesh(vertices, faces, vertex_colors=colours, process=False)
    assert error_of(texture_from_mesh(turning.bare, plain, SMALL)) < 0.02


def _png(texture):
    held = io.BytesIO()
    Image.fromarray(texture).save(held, "PNG")
    return held.getvalue()


@pytest.mark.parametrize("method, degrees", [("icp", 8.0), ("search", 90.0)])
def test_a_source_in_another_pose_and_size_is_moved(turning, source, method, degrees):
    move = Similarity(1.1 if method == "icp" else 3.0, azimuth_rotation(degrees), np.array([0.03, -0.02, 0.01]))
    moved = replace(source, vertices=move(source.vertices).astype(np.float32))
    found = align(moved, *ball(), method)
    assert np.abs(found(moved.vertices) - source.vertices).max() < 0.03
    result = texture_from_mesh(turning.bare, moved, replace(SMALL, alignment=method))
    assert error_of(result) < 0.02


def test_no_alignment_leaves_the_source_where_it_is(turning, source):
    far = replace(source, vertices=source.vertices + 5)
    with pytest.raises(InputError, match="half boxes away from the first frame; set alignment to search"):
        texture_from_mesh(turning.bare, far, replace(SMALL, alignment="none"))


def test_parts_the_source_lacks_are_marked(turning, source):
    whole = source.vertices[source.faces].mean(axis=1)
    half = replace(source, faces=source.faces[whole[:, 1] > -0.4])
    result = texture_from_mesh(turning.bare, half, replace(SMALL, alignment="none"))
    texels = surface_texels(result.meshes.faces[0], result.meshes.uv, 256)
    height = texels.mix(result.meshes.vertices[0], result.meshes.faces[0])[:, 1]
    confidence = result.confidence.reshape(-1)[texels.pixel]
    assert confidence[height < -0.6].max() == 0 and confidence[height > -0.3].min() > 0.5
    assert 0.05 < result.report.shares["spread"] < 0.3


def test_video_over_a_textured_mesh(turning, source):
    """Unseen parts take the mesh's colours, seen ones keep the video's."""
    tinted = replace(source, textures=((source.textures[0] * 0.8).astype(np.uint8),))
    result = texture_from_video(turning.bare, turning.clip, turning.camera, SMALL, given=tinted)
    alone = texture_from_video(turning.bare, turning.clip, turning.camera, SMALL)
    assert result.report.shares["given"] > 0.3 and result.report.shares["spread"] < 0.02
    assert error_of(result) < 0.6 * error_of(alone)
    assert result.report.shares["seen"] == alone.report.shares["seen"]


def test_textures_repeat_and_materials_multiply():
    corners = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0]], np.float32)
    faces = np.array([[0, 1, 2], [0, 1, 2]], np.int32)
    uv = np.array([[-2.0, 0], [-1.0, 0], [-2.0, 1]], np.float32)
    page = np.zeros((2, 2, 3), np.uint8)
    page[:, 1] = 200
    mesh = SourceMesh(corners, faces, uv, (page, None), None, ((0.5, 1.0, 1.0), (0.25, 0.5, 0.75)), np.array([0, 1]))
    weights = np.array([[0.2, 0.75, 0.05], [0.2, 0.75, 0.05]])
    assert np.allclose(mesh.colour_at(np.array([0, 1]), weights)[:, 0], [200 / 255 / 2, 0.25], atol=1e-3)


def test_axis_turns_are_the_group_of_the_cube():
    turns = axis_turns()
    assert len(turns) == 24 and len({turn.tobytes() for turn in turns}) == 24
    assert all(np.linalg.det(turn) == pytest.approx(1) for turn in turns)


def test_refusals(turning, source, tmp_path):
    vertices, faces = ball()
    with pytest.raises(InputError, match="neither a texture with uv nor vertex colours"):
        texture_from_mesh(turning.bare, SourceMesh(vertices, faces), SMALL)
    with pytest.raises(InputError, match="is a dict"):
        source_from({})
    with pytest.raises(InputError, match="vertices it does not have"):
        replace(source, faces=source.faces + 10_000)
    with pytest.raises(InputError, match="5 uv for"):
        replace(source, uv=source.uv[:5])
    with pytest.raises(InputError, match="other.glb"):
        source_from(tmp_path / "other.glb")
    changing = replace(turning.bare, faces=(*turning.bare.faces[:2], turning.bare.faces[2][::-1].copy()))
    with pytest.raises(InputError, match="Track Topology"):
        texture_from_mesh(changing, source, SMALL)


def test_cancel(turning, source):
    calls = []

    def stop():
        calls.append(1)
        if len(calls) > 8:
            raise Cancelled

    with pytest.raises(Cancelled):
        texture_from_mesh(turning.bare, source, replace(SMALL, alignment="search"), check=stop)


def test_stage_helper_films_what_it_paints():
    """The tests rest on pictures in which the paint is right way up."""
    made = stage(turns=(0.0,))
    middle = made.clip.frames[0, 28:36, 28:36, :3].mean(dim=(0, 1)).numpy()
    assert np.abs(middle - paint(np.array([[0.0, 0.16, 0.95]]))[0]).max() < 0.06
