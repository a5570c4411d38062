"""An animated GLB to look at, which nothing is saved for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.nodes.test_run import document


def test_the_file_plays_and_lies_in_the_temporary_folder(run, base, chain, core):
    before = set((base / "output").rglob("*"))
    first = run("MeshSequenceToFile3D", meshes=chain["meshes"]).result[0]
    second = run("MeshSequenceToFile3D", meshes=chain["meshes"], loop="cycle").result[0]
    paths = [Path(file.get_source()) for file in (first, second)]
    assert first.format == "glb" and paths[0] != paths[1]
    assert all(path.is_relative_to(base / "temp") for path in paths)
    assert set((base / "output").rglob("*")) == before
    read = core("importing").read_sequence(paths[0])
    assert read.frame_count == 4 and read.fps == pytest.approx(chain["meshes"].fps)
    assert all(np.array_equal(old, new) for old, new in zip(chain["meshes"].vertices, read.vertices))
    assert "prompt" not in document(paths[0])["asset"]["extras"]


def test_it_is_the_file_that_saving_writes(run, chain, core):
    """One code path: the same bytes but for the extras, with the same settings and the camera."""
    camera = core("sequence").Camera(10, 20, 3, (0, 0, 0), 40, 64, 48)
    for options in ({}, {"loop": "ping-pong", "interpolation": "STEP"}):
        shown = run("MeshSequenceToFile3D", meshes=chain["meshes"], camera=camera, **options).result[0]
        given = {f"format.{name}": value for name, value in options.items()}
        saved = run("SaveMeshSequence", meshes=chain["meshes"], camera=camera, **given).result[0]
        assert Path(shown.get_source()).read_bytes() == Path(saved.get_source()).read_bytes()
    assert b'"cameras":[' in Path(shown.get_source()).read_bytes()


def test_unlit_shows_a_texture_as_it_is(run, core):
    corners = np.float32([[0, 0, 0], [1, 0, 0], [0, 1, 0]])
    faces, uv = np.int32([[0, 1, 2]]), corners[:, :2].copy()
    textured = core("sequence").MeshSequence(
        (corners, corners + 1), (faces,) * 2, 8.0, uv=uv, texture=np.zeros((4, 4, 3), np.uint8)
    )
    for unlit in (True, False):
        path = run("MeshSequenceToFile3D", meshes=textured, unlit=unlit).result[0].get_source()
        assert ("KHR_materials_unlit" in document(path).get("extensionsUsed", ())) == unlit


def test_nothing_is_left_of_meshes_without_faces_or_when_stopped(run, base, core, chain):
    from comfy.model_management import STOP_AFTER, InterruptProcessingException

    before = set((base / "temp").glob("*"))
    points = core("sequence").MeshSequence((np.zeros((3, 3), np.float32),), (np.zeros((0, 3), np.int32),), 8.0)
    with pytest.raises(ValueError, match="has a face, so there is no mesh to write"):
        run("MeshSequenceToFile3D", meshes=points)
    STOP_AFTER.append(1)
    with pytest.raises(InterruptProcessingException):
        run("MeshSequenceToFile3D", meshes=chain["meshes"])
    assert not STOP_AFTER and set((base / "temp").glob("*")) == before
