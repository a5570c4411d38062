"""The file as a whole: errors, provenance, cancel, nothing left behind, memory, trimesh."""

from __future__ import annotations

import json
import tracemalloc
import warnings

import numpy as np
import pytest
import trimesh

from shapegen4d_core import __version__
from shapegen4d_core.errors import Cancelled, InputError
from shapegen4d_core.export import gltf_buffers, write_glb
from shapegen4d_core.sequence import MeshSequence
from tests.export.glb_reader import read_glb
from tests.export.shapes import EMPTY, changing, sphere, waving


def test_provenance_and_extras(tmp_path):
    workflow = json.dumps({"nodes": ["Knoten \u00fc"]})
    sequence = waving(settings={"seed": 7, "steps": [1, 2]})
    glb = read_glb(write_glb(sequence, tmp_path / "a.glb", extras={"prompt": "{}", "workflow": workflow}))
    asset = glb.json["asset"]
    assert asset["version"] == "2.0" and asset["generator"] == f"ShapeGen4D {__version__}"
    assert json.loads(asset["extras"]["workflow"]) == {"nodes": ["Knoten \u00fc"]}
    ours = {"fps": 24.0, "frames": 6, "name": "sequence", "settings": {"seed": 7, "steps": [1, 2]}}
    assert asset["extras"]["shapegen4d"] == ours


@pytest.mark.parametrize("options", [{}, {"quantize": True, "root_motion": "translation"}], ids=["plain", "all"])
@pytest.mark.parametrize("sequence", [waving(), waving(300), changing(empty=(0, 2))], ids=["morph", "long", "flip"])
def test_trimesh_opens_it_and_sees_the_first_filled_frame(tmp_path, sequence, options):
    """Hidden frames are a point inside of it, so that programs frame the view by what is seen."""
    scene = trimesh.load_scene(write_glb(sequence, tmp_path / "a.glb", **options))
    first = next(frame for frame in sequence.vertices if len(frame))
    tolerance = 1e-4 if options else 1e-6
    np.testing.assert_allclose(scene.bounds, [first.min(axis=0), first.max(axis=0)], atol=tolerance)


@pytest.mark.parametrize(
    ("sequence", "options", "words"),
    [
        (changing(), {"interpolation": "LINEAR"}, "topology that changes; set interpolation to STEP"),
        (changing(), {"interpolation": "CUBICSPLINE"}, "accepted are auto, STEP and LINEAR"),
        (MeshSequence((EMPTY[0],) * 3, (EMPTY[1],) * 3, 8.0, "x"), {}, "None of the 3 frames of 'x' has"),
        (waving(), {"extras": {"shapegen4d": 1}}, "use another name"),
        (waving(), {"extras": {"x": {1, 2}}}, "cannot be written as JSON"),
        (waving(), {"extras": {"x": float("nan")}}, "cannot be written as JSON"),
        (waving(fps=1e-300), {}, "too extreme"),
        (waving(fps=1e300), {}, "too extreme"),
    ],
)
def test_one_sentence_and_no_file(tmp_path, sequence, options, words):
    with pytest.raises(InputError, match=words) as error:
        write_glb(sequence, tmp_path / "a.glb", **options)
    assert "\n" not in str(error.value)
    assert list(tmp_path.iterdir()) == []


def test_path_errors(tmp_path):
    with pytest.raises(InputError, match="must end in .glb"):
        write_glb(waving(), tmp_path / "a.gltf")
    with pytest.raises(InputError, match="does not exist"):
        write_glb(waving(), tmp_path / "missing" / "a.glb")


def test_moves_beyond_float32_are_refused(tmp_path):
    largest = np.float32(np.finfo(np.float32).max)
    corners, faces = np.float32([[0, 0, 0], [1, 0, 0], [0, 1, 0]]), np.int32([[0, 1, 2]])
    frames = (corners * largest, -corners * largest)
    with pytest.raises(InputError, match="frame 2 moved further"):
        write_glb(MeshSequence(frames, (faces, faces), 8.0), tmp_path / "a.glb")


@pytest.mark.parametrize("sequence", [waving(), changing()], ids=["morph", "flip"])
def test_cancel_keeps_the_old_file_and_leaves_nothing_else(tmp_path, sequence):
    path = tmp_path / "a.glb"
    path.write_bytes(b"old")
    steps = []

    def progress(step: int, total: int, preview: object = None) -> None:
        steps.append((step, total))

    def check() -> None:
        if len(steps) == 4:
            raise Cancelled

    with pytest.raises(Cancelled):
        write_glb(sequence, path, progress=progress, check=check)
    assert path.read_bytes() == b"old" and list(tmp_path.iterdir()) == [path]
    assert steps == [(step, sequence.frame_count) for step in (1, 2, 3, 4)]


def test_cancel_while_copying_leaves_nothing(tmp_path):
    sequence, seen = waving(), []

    def check() -> None:
        seen.append(1)
        if len(seen) > sequence.frame_count:
            raise Cancelled

    with pytest.raises(Cancelled):
        write_glb(sequence, tmp_path / "a.glb", check=check)
    assert list(tmp_path.iterdir()) == []


def test_files_over_the_format_limit_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(gltf_buffers, "GLB_LIMIT", 3000)
    with pytest.raises(InputError, match="4 GiB"):
        write_glb(waving(), tmp_path / "a.glb")
    assert list(tmp_path.iterdir()) == []


def test_a_workflow_behind_the_first_mebibyte_is_warned_of(tmp_path):
    with pytest.warns(UserWarning, match="first MiB"):
        write_glb(waving(), tmp_path / "a.glb", extras={"workflow": "x" * (1 << 20)})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        glb = read_glb(write_glb(changing(frame_count=300, empty=()), tmp_path / "b.glb"))
    assert glb.json_end < 1 << 20


def test_memory_does_not_grow_with_the_frames(tmp_path):
    vertices, faces = sphere(4)
    peaks, sizes = [], []
    for frame_count in (24, 48):
        frames = tuple(vertices * np.float32(1 + frame / 48) for frame in range(frame_count))
        sequence = MeshSequence(frames, (faces,) * frame_count, 24.0)
        tracemalloc.start()
        path = write_glb(sequence, tmp_path / "a.glb")
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        sizes.append(path.stat().st_size)
    assert sizes[1] - sizes[0] > 1_200_000
    assert peaks[1] - peaks[0] < 120_000
