"""What our own exporter writes into a stage comes back: frames, faces, rate, name, settings, texture, normals."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shapegen4d_core.export.usd import write_usd
from shapegen4d_core.importing import usd_files
from shapegen4d_core.importing.usd import read_usd
from shapegen4d_core.sequence import MeshSequence
from tests.export.shapes import changing, waving

pytest.importorskip("pxr", reason="OpenUSD is not installed; pip install usd-core")

@pytest.fixture
def unprobed(monkeypatch):
    """The other process takes a quarter of a second per file; files of our own making need none."""
    monkeypatch.setattr(usd_files, "_probe", lambda *_: None)


def same(found: MeshSequence, wanted: MeshSequence, tolerance: float = 0.0) -> None:
    assert found.frame_count == wanted.frame_count
    for ours, theirs in zip(found.vertices, wanted.vertices):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=tolerance)
    for ours, theirs in zip(found.faces, wanted.faces):
        np.testing.assert_array_equal(ours, theirs)
    assert (found.fps, found.name, found.settings) == (wanted.fps, wanted.name, wanted.settings)
    for ours, theirs in ((found.uv, wanted.uv), (found.texture, wanted.texture)):
        assert (ours is None) == (theirs is None)
        if theirs is not None:
            np.testing.assert_array_equal(ours, theirs)


def textured(plain: MeshSequence, channels: int) -> MeshSequence:
    random = np.random.default_rng(1)
    texture = random.integers(0, 256, (4, 6, channels), dtype=np.uint8)
    uv = (3 * random.random((42, 2)) - 1).astype(np.float32)
    return MeshSequence(plain.vertices, plain.faces, 24.0, uv=uv, texture=texture)


@pytest.mark.parametrize("suffix", ["usda", "usdc", "usdz"])
@pytest.mark.parametrize("make", [waving, changing])
def test_frames_rate_name_and_settings(tmp_path, suffix, make):
    sequence = make(9, 30000 / 1001, name="F\u00fcchsin \u72d0", settings={"seed": 3, "list": [1, None, {"a": 0.5}]})
    found = read_usd(write_usd(sequence, tmp_path / f"a.{suffix}"))
    same(found, sequence)
    assert found.normals is None and found.fixed_topology == sequence.fixed_topology


def test_short_and_long_ones(tmp_path, unprobed):
    for sequence in (waving(1, 8.0), waving(2, 8.0), changing(1, 8.0, empty=()), changing(2, 8.0, empty=())):
        same(read_usd(write_usd(sequence, tmp_path / "a.usda")), sequence)
    long = waving(300, 50.0)
    same(read_usd(write_usd(long, tmp_path / "a.usdc")), long)


@pytest.mark.parametrize(("suffix", "channels", "unlit"), [("usda", 3, False), ("usda", 4, True), ("usdz", 4, False)])
def test_texture_and_coordinates_in_every_pixel(tmp_path, suffix, channels, unlit, unprobed):
    for sequence in (textured(waving(3), channels), textured(waving(1), channels)):
        same(read_usd(write_usd(sequence, tmp_path / f"a.{suffix}", unlit=unlit)), sequence)


def test_axes_are_turned_back_exactly_and_units_to_float_precision(tmp_path, unprobed):
    for sequence in (waving(), changing(empty=(0, 6))):
        same(read_usd(write_usd(sequence, tmp_path / "a.usda", up_axis="Z")), sequence)
        path = write_usd(sequence, tmp_path / "b.usda", up_axis="Z", metres_per_unit=0.01)
        same(read_usd(path), sequence, tolerance=3e-7)


@pytest.mark.parametrize("stem", ["a@b#c%20[1]", "$X 'q' <UDIM>", "1.2.3", "-\u72d0"])
def test_a_texture_is_found_beside_any_name(tmp_path, unprobed, stem):
    if sys.platform == "win32" and set(stem) & set("<>"):
        pytest.skip("Windows has no such names")
    sequence = textured(waving(2), 3)
    same(read_usd(write_usd(sequence, tmp_path / f"{stem}.usda")), sequence)


def test_given_normals_come_back(tmp_path, unprobed):
    normals = tuple(np.tile(np.float32([0, 0.6, 0.8]) if i else np.float32([1, 0, 0]), (42, 1)) for i in range(6))
    sequence = MeshSequence(waving().vertices, waving().faces, 24.0, normals=normals)
    for up_axis in ("Y", "Z"):
        found = read_usd(write_usd(sequence, tmp_path / "a.usda", up_axis=up_axis))
        np.testing.assert_allclose(found.normals, normals, atol=1e-7)


def test_a_file_that_was_replaced_is_read_anew(tmp_path, unprobed):
    first, second = waving(3, name="first"), waving(5, name="second")
    same(read_usd(write_usd(first, tmp_path / "a.usda")), first)
    same(read_usd(write_usd(second, tmp_path / "a.usda")), second)


_NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


@st.composite
def sequences(draw) -> MeshSequence:
    """1 to 40 frames of random triangles, with or without one topology, at scales from 1e-30 to 1e30."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    frame_count = draw(st.sampled_from([1, 2, 3, 5, 40]))
    scale, fixed = 10.0 ** draw(st.integers(-30, 30)), draw(st.booleans())
    shapes = [(int(random.integers(3, 6)), int(random.integers(1, 5))) for _ in range(frame_count)]
    shapes = [shapes[0]] * frame_count if fixed else [(0, 0) if random.random() < 0.2 else s for s in shapes]
    shapes[-1] = shapes[-1] if shapes[-1][0] else (3, 1)
    vertices = [(random.normal(size=(count, 3)) * scale).astype(np.float32) for count, _ in shapes]
    faces = [random.integers(0, max(count, 1), (rows, 3), dtype=np.int32) for count, rows in shapes]
    faces = [faces[0]] * frame_count if fixed else faces
    uv = random.normal(size=(shapes[0][0], 2)).astype(np.float32) if fixed and draw(st.booleans()) else None
    texture = random.integers(0, 256, (2, 3, 3), dtype=np.uint8) if uv is not None and draw(st.booleans()) else None
    name, fps = draw(_NAMES), draw(st.floats(0.01, 1000))
    return MeshSequence(tuple(vertices), tuple(faces), fps, name, uv=uv, texture=texture)


@settings(max_examples=25, deadline=None)
@given(sequences(), st.sampled_from(["usda", "usdc", "usdz"]), st.sampled_from(["Y", "Z"]))
def test_random_sequences(sequence, suffix, up_axis):
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(usd_files, "_probe", lambda *_: None)  # a process per example would take minutes
        path = write_usd(sequence, Path(folder) / f"\u00e5 b.{suffix}", up_axis=up_axis)
        same(read_usd(path), sequence)
