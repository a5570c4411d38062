"""trimesh opens every file of a folder and finds the mesh of that frame, exactly."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh

from tests.clients.cases import cases, write_all

CASES = [case for case in cases() if "trimesh" in case.programs]


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_every_frame_is_found_exactly(tmp_path, case):
    (written,) = write_all(tmp_path, [case])
    sequence = written.sequence
    files = sorted(written.path.glob(f"*.{case.opens.split()[-1]}"))
    assert len(files) == sequence.frame_count
    for file, vertices, faces in zip(files, sequence.vertices, sequence.faces):
        if not len(faces):
            continue
        mesh = trimesh.load_mesh(file, process=False)
        np.testing.assert_array_equal(mesh.vertices.astype(np.float32)[mesh.faces], vertices[faces])


@pytest.mark.parametrize("name", ["folder of OBJ", "folder of GLB"])
def test_coordinates_and_texture(tmp_path, name):
    (written,) = write_all(tmp_path, [case for case in CASES if case.name == name])
    sequence = written.sequence
    mesh = trimesh.load_mesh(written.stills[1], process=False)
    np.testing.assert_allclose(mesh.visual.uv[mesh.faces], sequence.uv[sequence.faces[0]], atol=1e-6)
    material = mesh.visual.material
    picture = getattr(material, "baseColorTexture", None) or material.image
    np.testing.assert_array_equal(np.asarray(picture)[..., :3], sequence.texture)
