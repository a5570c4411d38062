"""Sockets that take several kinds, and a node whose sockets grow, as the page names them."""

from __future__ import annotations

import uuid

import pytest

from shapegen4d_core.export import write_glb
from shapegen4d_core.sequence import MeshSequence
from tests.export.shapes import waving
from tests.host.workflows import ours, shown

pytestmark = pytest.mark.host


def test_there_and_back_again(client, nodes, tmp_path):
    source = write_glb(waving(4, 8.0), tmp_path / f"{uuid.uuid4().hex}.glb")
    client.upload(source, "3d")
    workflow = {
        "load": ours(nodes, "LoadMeshSequence", file=f"3d/{source.name}"),
        "back": ours(nodes, "PickFrames", sequence=["load", 0], start=1, stop=-1, reverse=True),
        "join": {"class_type": "ShapeGen4D_JoinSequences", "inputs": {
            "sequences.sequence0": ["load", 0], "sequences.sequence1": ["back", 0], "different_fps": "error"}},
        "save": ours(nodes, "SaveMeshSequence", meshes=["join", 0], format="safetensors"),
        "report": shown(["save", 2]),
    }  # fmt: skip
    report = client.run(workflow).outputs["report"]["text"][0]
    assert "6 frames at 8 per second" in report
    place, _, file = report.split(":")[0].rpartition("/")
    path = tmp_path / file
    path.write_bytes(client.download({"filename": file, "subfolder": place, "type": "output"}))
    frames = MeshSequence.load(path).vertices
    assert all((frames[index] == frames[6 - index]).all() for index in (4, 5))
    workflow["half"] = ours(nodes, "PickFrames", sequence=["load", 0], stride=2)
    workflow["join"]["inputs"]["sequences.sequence1"] = ["half", 0]
    assert "Sequence 2 has 4 frames per second and the first 8" in client.run(workflow).error["exception_message"]
