"""The node and the verb: one topology out, figures in words, stopping."""

from __future__ import annotations

import json

import numpy as np
import pytest
import trimesh

from shapegen4d_core import cli
from shapegen4d_core.importing import load_sequence


@pytest.fixture(scope="module")
def meshes(core):
    """An egg that leans further each frame, every frame with another number of triangles."""
    rows = []
    for t, rings in enumerate((14, 16, 15)):
        egg = trimesh.creation.uv_sphere(radius=0.5, count=(rings, rings + 4))
        vertices = np.asarray(egg.vertices) * (0.8, 1.4, 1.0)
        vertices[:, 0] += 0.1 * t * vertices[:, 1] ** 2
        rows.append((vertices.astype(np.float32), np.asarray(egg.faces, np.int32)))
    value = core("sequence").MeshSequence
    return value(tuple(row[0] for row in rows), tuple(row[1] for row in rows), 8.0, "egg")


def test_the_node_gives_one_topology_and_says_how_well(run, meshes):
    tracked, words = run("TrackTopology", meshes=meshes, faces=300, iterations=8, coarse_iterations=4).result
    assert tracked.fixed_topology and tracked.frame_count == 3 and tracked.normals is not None
    assert len(tracked.faces[0]) <= 300 and not meshes.fixed_topology
    assert words.splitlines()[0].split()[0] == "frame" and len(words.splitlines()) >= 4


def test_the_host_can_stop_it(run, meshes, monkeypatch):
    import comfy.model_management as manager

    class Stopped(Exception):
        pass

    calls = []

    def stop():
        calls.append(1)
        if len(calls) > 4:
            raise Stopped

    monkeypatch.setattr(manager, "throw_exception_if_processing_interrupted", stop)
    with pytest.raises(Stopped):
        run("TrackTopology", meshes=meshes, faces=300)
    assert len(calls) == 5


def test_the_verb_writes_morph_targets_and_a_report(meshes, tmp_path, capsys):
    source, output, report = tmp_path / "egg.safetensors", tmp_path / "egg.glb", tmp_path / "egg.json"
    meshes.save(source)
    arguments = ["track", source, "-o", output, "--faces", 300, "--iterations", 5, "--report", report, "--anchor", 1]
    assert cli.main([str(part) for part in arguments]) == 0
    assert load_sequence(output).fixed_topology
    written = json.loads(report.read_text())
    assert written["anchors"] == [1] and len(written["frames"]) == 3
    assert "1 topologies (frames 1-3)" in capsys.readouterr().out


def test_the_verb_refuses_other_endings(meshes, tmp_path, capsys):
    assert cli.main(["track", str(tmp_path / "a.glb"), "-o", str(tmp_path / "a.obj")]) == 2
    assert "one OBJ holds one frame" in capsys.readouterr().err
