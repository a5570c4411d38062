"""Point caches as written: bytes, base mesh, refusals, warnings, cancel, memory."""

from __future__ import annotations

import json
import os
import struct
import tracemalloc
import warnings

import numpy as np
import pytest
import trimesh
from PIL import Image

from shapegen4d_core.errors import Cancelled, InputError
from shapegen4d_core.export.point_cache import write_point_cache
from shapegen4d_core.sequence import MeshSequence
from tests.export.shapes import EMPTY, changing, sphere, waving
from tests.export.test_mesh_folder import textured

KINDS = ["pc2", "mdd"]


def test_the_bytes_of_a_pc2(tmp_path):
    sequence = waving(3, 12.5)
    content = write_point_cache(sequence, tmp_path / "a.pc2").read_bytes()
    assert content[:12] == b"POINTCACHE2\0"
    assert struct.unpack("<iiffi", content[12:32]) == (1, 42, 0.0, 1.0, 3)
    np.testing.assert_array_equal(np.frombuffer(content[32:], "<f4").reshape(3, 42, 3), np.stack(sequence.vertices))


def test_the_bytes_of_an_mdd(tmp_path):
    sequence = waving(3, 12.5)
    content = write_point_cache(sequence, tmp_path / "a.mdd").read_bytes()
    assert struct.unpack(">ii", content[:8]) == (3, 42)
    np.testing.assert_allclose(np.frombuffer(content[8:20], ">f4"), [0, 1 / 12.5, 2 / 12.5], rtol=1e-6)
    np.testing.assert_array_equal(np.frombuffer(content[20:], ">f4").reshape(3, 42, 3), np.stack(sequence.vertices))


@pytest.mark.parametrize("stem", ["a", "K\u00e4fer \u866b 1.5"])
def test_the_base_mesh_keeps_order_and_look(tmp_path, stem):
    sequence = textured(3)
    assert (sequence.vertices[0] != sequence.vertices[2]).any()
    write_point_cache(sequence, tmp_path / f"{stem}.pc2", unlit=True)
    names = [f"{stem}{suffix}" for suffix in (".cache.json", ".mtl", ".obj", ".pc2", ".png")]
    assert sorted(os.listdir(tmp_path)) == sorted(names)
    mesh = trimesh.load(tmp_path / f"{stem}.obj", force="mesh", process=False, maintain_order=True)
    np.testing.assert_array_equal(np.float32(mesh.vertices), sequence.vertices[0])
    np.testing.assert_array_equal(mesh.faces, sequence.faces[0])
    np.testing.assert_allclose(mesh.visual.uv, sequence.uv, atol=1e-7)
    with Image.open(tmp_path / f"{stem}.png") as picture:
        np.testing.assert_array_equal(np.asarray(picture), sequence.texture)
    assert f"map_Kd {stem}.png" in (tmp_path / f"{stem}.mtl").read_text(encoding="utf-8")
    assert "illum 0" in (tmp_path / f"{stem}.mtl").read_text(encoding="utf-8")


def test_notes_beside_the_cache(tmp_path):
    write_point_cache(waving(3, 12.5, name="\u866b", settings={"seed": 1}), tmp_path / "a.mdd", extras={"prompt": 1})
    document = json.loads((tmp_path / "a.cache.json").read_text(encoding="ascii"))
    ours = document["shapegen4d"]
    assert document["prompt"] == 1 and ours["settings"] == {"seed": 1} and ours["name"] == "\u866b"
    assert (ours["fps"], ours["frames"], ours["files"], ours["others"]) == (12.5, 3, ["a.mdd"], ["a.obj"])


@pytest.mark.parametrize(
    ("sequence", "name", "options", "said"),
    [
        (changing(), "a.pc2", {}, "topology of 'sequence' changes; write .glb, .usdc or a folder"),
        (MeshSequence((sphere()[0],), (EMPTY[1],), 8.0), "a.pc2", {}, "has a face"),
        (MeshSequence((EMPTY[0],), (EMPTY[1],), 8.0), "a.mdd", {}, "has a face"),
        (waving(2), "a.abc", {}, "must end in .pc2 or .mdd"),
        (waving(2), "gone/a.pc2", {}, "does not exist"),
        (waving(2), "a\nb.pc2", {}, "printable name"),
        (waving(2), "a.pc2", {"unlit": True}, "has none; switch it off"),
        (waving(2), "a.pc2", {"extras": {"shapegen4d": 1}}, "use another name"),
        (waving(2, fps=1e300), "a.mdd", {}, "32-bit seconds of an MDD"),
        (waving(2, fps=1e-300), "a.mdd", {}, "32-bit seconds of an MDD"),
    ],
)
def test_refusals_leave_nothing(tmp_path, sequence, name, options, said):
    with pytest.raises(InputError, match=said):
        write_point_cache(sequence, tmp_path / name, **options)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("name", ["a.obj", "a.mtl", "a.png", "a.cache.json"])
def test_files_of_others_are_not_replaced(tmp_path, name):
    (tmp_path / name).write_text("mine")
    with pytest.raises(InputError, match=f"replace '{name}'"):
        write_point_cache(textured(), tmp_path / "a.pc2")
    assert os.listdir(tmp_path) == [name] and (tmp_path / name).read_text() == "mine"


def test_an_earlier_cache_of_ours_is_replaced(tmp_path):
    write_point_cache(textured(4), tmp_path / "a.pc2")
    write_point_cache(textured(2), tmp_path / "a.mdd")
    assert json.loads((tmp_path / "a.cache.json").read_text())["shapegen4d"]["files"] == ["a.mdd"]
    assert len(os.listdir(tmp_path)) == 6


def test_what_a_cache_cannot_hold_is_said(tmp_path):
    vertices, faces = sphere()
    loose = MeshSequence((np.concatenate([vertices, vertices[:3]]),), (faces,), 8.0)
    cases = ((loose, "3 vertices belong to no face"), (textured(2, 4), "opaque"))
    for sequence, said in cases:
        with pytest.warns(UserWarning, match=said):
            write_point_cache(sequence, tmp_path / "a.pc2")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        write_point_cache(textured(), tmp_path / "a.pc2")


@pytest.mark.parametrize("kind", KINDS)
def test_cancel_keeps_the_old_files_and_leaves_nothing_else(tmp_path, kind):
    write_point_cache(textured(2), tmp_path / f"a.{kind}")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    steps = []

    def check() -> None:
        if len(steps) == 3:
            raise Cancelled

    with pytest.raises(Cancelled):
        progress = lambda step, total, preview=None: steps.append((step, total))  # noqa: E731
        write_point_cache(waving(5), tmp_path / f"a.{kind}", progress=progress, check=check)
    assert steps == [(1, 5), (2, 5), (3, 5)]
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize("kind", KINDS)
def test_memory_does_not_grow_with_the_frames(tmp_path, kind):
    vertices, faces = sphere(3)
    peaks = []
    for frame_count in (300, 30, 300):  # the first only fills what the interpreter keeps
        frames = tuple(vertices * np.float32(1 + frame / 300) for frame in range(frame_count))
        sequence = MeshSequence(frames, (faces,) * frame_count, 24.0)
        assert sequence.fixed_topology
        tracemalloc.start()
        write_point_cache(sequence, tmp_path / f"a.{kind}")
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[2] - peaks[1] < 270 * 50 < 270 * vertices.nbytes / 100
