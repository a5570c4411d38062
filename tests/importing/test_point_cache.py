"""Point caches come back exactly; those of others with whatever mesh fits; damaged ones are one sentence."""

from __future__ import annotations

import json
import struct
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shapegen4d_core.errors import Cancelled, InputError
from shapegen4d_core.export.point_cache import write_point_cache
from shapegen4d_core.importing.point_cache import read_point_cache
from shapegen4d_core.sequence import MeshSequence
from tests.export.shapes import waving
from tests.test_sequence import assert_same_meshes

KINDS = ["pc2", "mdd"]
_NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


@st.composite
def sequences(draw) -> MeshSequence:
    """1 to 20 frames of one triangle or a few at scales from 1e-40 to 1e38, textured or not."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    frame_count, scale = draw(st.sampled_from([1, 2, 20])), 10.0 ** draw(st.integers(-40, 37))
    rows, count = draw(st.sampled_from([(3, 1), (8, 11)]))
    vertices = [(random.uniform(-9, 9, (rows, 3)) * scale).astype(np.float32) for _ in range(frame_count)]
    faces = random.integers(0, rows, (count, 3), dtype=np.int32)
    faces[0] = (0, 1, 2)
    fields = {"name": draw(_NAMES), "settings": {"name": draw(_NAMES), "seed": draw(st.integers())}}
    if draw(st.booleans()):
        fields["uv"] = random.uniform(-2, 3, (rows, 2)).astype(np.float32)
        if draw(st.booleans()):
            fields["texture"] = random.integers(0, 256, (3, 5, draw(st.sampled_from([3, 4]))), dtype=np.uint8)
    return MeshSequence(tuple(vertices), (faces,) * frame_count, draw(st.floats(1e-3, 1e6)), **fields)


@pytest.mark.filterwarnings("ignore:OBJ has no agreed transparency", "ignore:[0-9]+ vertices belong to no face")
@settings(max_examples=60, deadline=None)
@given(sequences(), st.sampled_from(KINDS))
def test_round_trip_is_exact(sequence, kind):
    with tempfile.TemporaryDirectory() as folder:
        path = write_point_cache(sequence, Path(folder) / f"\u00e5 b.{kind}")
        found = read_point_cache(path)
    assert_same_meshes(found, sequence)
    assert all(frame is found.faces[0] for frame in found.faces)


@pytest.mark.parametrize("fps", [1.0, 12.5, 24.0, 30000 / 1001, 60.0])
def test_without_our_notes_the_times_of_an_mdd_tell_the_rate(tmp_path, fps):
    path = write_point_cache(waving(7, fps, name="x", settings={"a": 1}), tmp_path / "wave.mdd")
    (tmp_path / "wave.cache.json").unlink()
    found = read_point_cache(path)
    assert found.fps == pytest.approx(fps, rel=1e-6) and (found.name, found.settings) == ("wave", {})
    if fps == int(fps):
        assert found.fps == fps
    assert read_point_cache(path, fps=5).fps == 5


def test_without_our_notes_a_pc2_plays_at_24(tmp_path):
    path = write_point_cache(waving(3, 12.5), tmp_path / "a.pc2")
    (tmp_path / "a.cache.json").unlink()
    assert read_point_cache(path).fps == 24
    content = bytearray(path.read_bytes())
    content[24:28] = struct.pack("<f", 2.0)  # two frames per sample
    path.write_bytes(content)
    assert read_point_cache(path).fps == 12


def test_notes_of_another_cache_are_not_believed(tmp_path):
    write_point_cache(waving(3, 12.5), tmp_path / "a.pc2")
    write_point_cache(waving(3, 5.0), tmp_path / "a.mdd")  # the notes are now those of the MDD
    assert read_point_cache(tmp_path / "a.pc2").fps == 24 and read_point_cache(tmp_path / "a.mdd").fps == 5
    document = json.loads((tmp_path / "a.cache.json").read_text())
    document["shapegen4d"] |= {"frames": 4, "fps": 8.0}
    (tmp_path / "a.cache.json").write_text(json.dumps(document))
    assert read_point_cache(tmp_path / "a.mdd").fps == 5


def test_seams_of_the_base_mesh_get_the_points_of_their_vertices(tmp_path):
    """Four points in the cache, six vertices once the texture is cut open."""
    text = "v 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\nvt 0 0\nvt 1 0\nvt 1 1\nf 1/1 2/2 3/3\nf 1/2 3/1 4/3\n"
    (tmp_path / "other.obj").write_text(text)
    points = np.random.default_rng(0).normal(size=(2, 4, 3)).astype("<f4")
    head = struct.pack("<12siiffi", b"POINTCACHE2\0", 1, 4, 1.0, 1.0, 2)
    (tmp_path / "a.pc2").write_bytes(head + points.tobytes())
    found = read_point_cache(tmp_path / "a.pc2", base=tmp_path / "other.obj")
    assert found.uv is not None and len(found.vertices[0]) == 6
    for t in range(2):
        corners = points[t][[[0, 1, 2], [0, 2, 3]]]
        np.testing.assert_array_equal(found.vertices[t][found.faces[t]], corners)


def test_the_base_mesh_must_be_there_and_fit(tmp_path):
    path = write_point_cache(waving(2), tmp_path / "a.pc2")
    (tmp_path / "a.obj").write_text("v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n")
    with pytest.raises(InputError, match="moves 42 vertices, but its base mesh has 3"):
        read_point_cache(path)
    (tmp_path / "a.obj").unlink()
    with pytest.raises(InputError, match="no base mesh beside it; put a.obj there"):
        read_point_cache(path)
    with pytest.raises(InputError, match="gone.obj"):
        read_point_cache(path, base=tmp_path / "gone.obj")
    with pytest.raises(InputError, match=r"Cannot import .*gone\.pc2"):
        read_point_cache(tmp_path / "gone.pc2")
    with pytest.raises(InputError, match="must end in"):
        read_point_cache(tmp_path / "a.obj")


def pc2(vertices=42, step=1.0, frames=2, mark=b"POINTCACHE2\0", version=1) -> bytes:
    return struct.pack("<12siiffi", mark, version, vertices, 0.0, step, frames)


BODY = bytes(2 * 42 * 12)
DAMAGED = {
    "pc2 empty": ("pc2", b"", "ends inside its header"),
    "pc2 short": ("pc2", pc2()[:20], "ends inside its header"),
    "pc2 mark": ("pc2", pc2(mark=b"POINTCACHE3\0") + BODY, "not a PC2"),
    "pc2 version": ("pc2", pc2(version=2) + BODY, "not a PC2 of version 1"),
    "pc2 cut": ("pc2", pc2() + BODY[:-1], "take 1040 bytes, but it has 1039"),
    "pc2 more": ("pc2", pc2() + BODY + b"x", "it has 1041"),
    "pc2 huge": ("pc2", pc2(2**31 - 1, frames=900000) + BODY, "announces 900000 frames of 2147483647"),
    "pc2 negative": ("pc2", pc2(-42, frames=-2) + BODY, "announces -2 frames"),
    "pc2 no frames": ("pc2", pc2(frames=0), "announces 0 frames"),
    "pc2 step": ("pc2", pc2(step=0.0) + BODY, "sampling rate is 0"),
    "pc2 step nan": ("pc2", pc2(step=float("nan")) + BODY, "sampling rate is nan"),
    "pc2 not finite": ("pc2", pc2() + BODY[:-4] + struct.pack("<f", float("inf")), "not finite"),
    "mdd empty": ("mdd", b"\0\0", "ends inside its header"),
    "mdd cut": ("mdd", struct.pack(">2i2f", 2, 42, 0, 1) + BODY[:-1], "take 1024 bytes, but it has 1023"),
    "mdd order": ("mdd", struct.pack("<2i2f", 2, 42, 0, 1) + BODY, "announces 33554432 frames"),
    "mdd backwards": ("mdd", struct.pack(">2i2f", 2, 42, 1, 0) + BODY, "times do not increase evenly"),
    "mdd nan": ("mdd", struct.pack(">2i2f", 2, 42, 0, float("nan")) + BODY, "times do not increase evenly"),
    "mdd uneven": ("mdd", struct.pack(">2i3f", 3, 28, 0, 1, 3) + BODY, "times do not increase evenly"),
}


@pytest.mark.parametrize("case", sorted(DAMAGED))
def test_damaged_files_are_one_sentence(tmp_path, case):
    suffix, content, said = DAMAGED[case]
    path = write_point_cache(waving(2), tmp_path / f"a.{suffix}")
    path.write_bytes(content)
    with pytest.raises(InputError, match=said) as error:
        read_point_cache(path)
    assert path.name in str(error.value) and "\n" not in str(error.value)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(KINDS), st.integers(0, 39), st.integers(0, 255))
def test_a_changed_header_never_crashes(tmp_path, kind, place, value):
    path = write_point_cache(waving(2), tmp_path / f"a.{kind}")
    content = bytearray(path.read_bytes())
    content[place] = value
    path.write_bytes(content)
    try:
        assert read_point_cache(path).frame_count == 2
    except InputError as error:
        assert "\n" not in str(error)


def test_progress_and_cancel(tmp_path):
    path, steps = write_point_cache(waving(5), tmp_path / "a.pc2"), []

    def check() -> None:
        if len(steps) == 3:
            raise Cancelled

    with pytest.raises(Cancelled):
        read_point_cache(path, progress=lambda step, total, preview=None: steps.append((step, total)), check=check)
    assert steps == [(1, 5), (2, 5), (3, 5)]
