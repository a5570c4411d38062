"""Mesh sequences go through the core's mesh nodes and come back."""

from __future__ import annotations

import uuid
from dataclasses import replace

import numpy as np
import pytest

from shapegen4d_core.export import write_glb
from shapegen4d_core.importing import load_sequence
from shapegen4d_core.sequence import MeshSequence
from tests.export.shapes import waving
from tests.host.workflows import ours, shown

pytestmark = pytest.mark.host


def fetched(client, report, folder):
    """The sequence that Save Mesh Sequence reports to have written."""
    place, _, file = report.split(":")[0].rpartition("/")
    (folder / file).write_bytes(client.download({"filename": file, "subfolder": place, "type": "output"}))
    return MeshSequence.load(folder / file)


def test_one_topology_comes_back_exactly_and_the_core_saves_each_mesh(client, nodes, tmp_path):
    moving = waving(3, 8.0)
    count = len(moving.vertices[0])
    uv = np.linspace(0, 1, 2 * count, dtype=np.float32).reshape(count, 2)
    texture = np.arange(192, dtype=np.uint8).reshape(8, 8, 3)
    source = write_glb(replace(moving, uv=uv, texture=texture), tmp_path / f"{uuid.uuid4().hex}.glb")
    client.upload(source, "3d")
    done = client.run({
        "load": ours(nodes, "LoadMeshSequence", file=f"3d/{source.name}"),
        "mesh": ours(nodes, "MeshSequenceToMesh", meshes=["load", 0]),
        "info": {"class_type": "GetMeshInfo", "inputs": {"mesh": ["mesh", 0]}},
        "back": ours(nodes, "MeshToMeshSequence", mesh=["info", 0], fps=["mesh", 1]),
        "save": ours(nodes, "SaveMeshSequence", meshes=["back", 0], format="safetensors"),
        "core": {"class_type": "SaveGLB", "inputs": {"mesh": ["mesh", 0], "filename_prefix": f"3d/{source.stem}"}},
        "told": shown(["back", 2]),
        "report": shown(["save", 2]),
    }).outputs  # fmt: skip
    assert "Batch:      3 meshes" in done["info"]["text"][0] and "texture 8" in done["info"]["text"][0]
    assert done["told"]["text"] == ["3 frames at 8 per second, one topology, uv, texture."]
    loaded, same = load_sequence(source), fetched(client, done["report"]["text"][0], tmp_path)
    for key in ("vertices", "faces"):
        assert all((a == b).all() for a, b in zip(getattr(loaded, key), getattr(same, key), strict=True)), key
    assert np.abs(same.uv - loaded.uv).max() < 1e-7 and (same.texture == loaded.texture).all()
    assert len(done["core"]["3d"]) == 3
    path = tmp_path / "second.glb"
    path.write_bytes(client.download(done["core"]["3d"][1]))
    second = load_sequence(path)
    assert (second.vertices[0] == loaded.vertices[1]).all() and (second.texture == loaded.texture).all()
    assert np.abs(second.uv - loaded.uv).max() < 1e-7


def test_decimated_meshes_of_different_size_become_a_sequence(client, nodes, tmp_path):
    source = write_glb(waving(3, 8.0), tmp_path / f"{uuid.uuid4().hex}.glb")
    client.upload(source, "3d")
    done = client.run({
        "load": ours(nodes, "LoadMeshSequence", file=f"3d/{source.name}"),
        "mesh": ours(nodes, "MeshSequenceToMesh", meshes=["load", 0]),
        "small": {"class_type": "DecimateMesh", "inputs": {
            "mesh": ["mesh", 0], "target_face_count": 60, "placement_mode": "midpoint"}},
        "fewer": ours(nodes, "MeshToMeshSequence", mesh=["small", 0], fps=["mesh", 1]),
        "save": ours(nodes, "SaveMeshSequence", meshes=["fewer", 0], format="safetensors"),
        "report": shown(["save", 2]),
    }).outputs  # fmt: skip
    fewer, whole = fetched(client, done["report"]["text"][0], tmp_path), load_sequence(source)
    assert fewer.frame_count == 3 and fewer.fps == 8 and all(0 < len(faces) <= 60 for faces in fewer.faces)
    for old, new in zip(whole.vertices, fewer.vertices):
        assert len(new) < len(old) and abs(new.max(axis=0) - old.max(axis=0)).max() < 0.3


def test_a_sequence_is_previewed_without_being_saved(client, nodes, tmp_path):
    source = write_glb(waving(3, 8.0), tmp_path / f"{uuid.uuid4().hex}.glb")
    client.upload(source, "3d")
    workflow = {
        "load": ours(nodes, "LoadMeshSequence", file=f"3d/{source.name}"),
        "file": ours(nodes, "MeshSequenceToFile3D", meshes=["load", 0]),
        "again": ours(nodes, "LoadMeshSequence", model_3d=["file", 0]),
        "frames": shown(["again", 2]),
        "core": {"class_type": "Preview3D", "inputs": {"model_file": ["file", 0]}},
    }
    done = client.run(workflow).outputs
    assert done["frames"]["text"] == ["3"] and done["core"]["result"][0].endswith(".glb")
