"""Random sequences come back, written in any way: tiny, huge, empty, long, oddly named ones."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shapegen4d_core.export import uses_morph_targets, write_glb
from shapegen4d_core.importing import load_sequence
from shapegen4d_core.sequence import MeshSequence
from tests.export.glb_reader import read_glb

_NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


@st.composite
def sequences(draw) -> MeshSequence:
    """1 to 300 frames of random triangles, with or without a fixed topology, at scales from 1e-30 to 1e30."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    frame_count = draw(st.sampled_from([1, 2, 3, 5, 5, 5, 300]))
    scale, fixed = 10.0 ** draw(st.integers(-30, 30)), draw(st.booleans())
    shapes = [(int(random.integers(3, 9)), int(random.integers(1, 9))) for _ in range(frame_count)]
    shapes = [shapes[0]] * frame_count if fixed else [(0, 0) if random.random() < 0.2 else s for s in shapes]
    shapes[-1] = shapes[-1] if shapes[-1][0] else (3, 1)
    vertices = [(random.normal(size=(count, 3)) * scale).astype(np.float32) for count, _ in shapes]
    faces = [random.integers(0, max(count, 1), (rows, 3), dtype=np.int32) for count, rows in shapes]
    faces = [faces[0]] * frame_count if fixed else faces
    fps = draw(st.floats(0.01, 1000))
    return MeshSequence(tuple(vertices), tuple(faces), fps, draw(_NAMES))


@settings(max_examples=40, deadline=None)
@given(sequences())
def test_round_trip(sequence):
    with tempfile.TemporaryDirectory() as folder:
        glb = read_glb(write_glb(sequence, Path(folder) / "\u00e5 b.glb"))
    assert glb.json["nodes"][0]["name"] == sequence.name
    assert glb.duration() == pytest.approx(sequence.duration, rel=1e-6)
    morphed = uses_morph_targets(sequence)
    frames = range(sequence.frame_count) if sequence.frame_count < 10 else (0, 1, 150, 298, 299)
    for frame in frames:
        shown = glb.at((frame + 0.5) / sequence.fps)
        expected = sequence.vertices[frame]
        if len(sequence.faces[frame]) == 0:
            assert shown == []
            continue
        assert len(shown) == 1
        largest = np.abs(np.concatenate([expected, sequence.vertices[0]])).max()
        tolerance = 3e-7 * float(largest) if morphed else 0
        np.testing.assert_allclose(shown[0]["positions"], expected, rtol=0, atol=tolerance)
        np.testing.assert_array_equal(shown[0]["faces"], sequence.faces[frame])
        np.testing.assert_allclose(np.linalg.norm(shown[0]["normals"], axis=1), 1, atol=1e-5)


@st.composite
def options(draw, sequence: MeshSequence) -> dict:
    """Any choices the sequence can be written with."""
    fixed = uses_morph_targets(sequence)
    motions = ["none", "translation", *(["rigid"] if sequence.fixed_topology else [])]
    return {
        "encoding": draw(st.sampled_from(["auto", "flipbook", *(["morph"] if fixed else [])])),
        "interpolation": draw(st.sampled_from(["auto", "STEP"])),
        "loop": draw(st.sampled_from(["hold", "cycle", "ping-pong"])),
        "quantize": draw(st.booleans()),
        "normals": draw(st.booleans()),
        "root_motion": draw(st.sampled_from(motions)),
    }


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_our_own_reader_gives_back_the_sequence(data):
    sequence = data.draw(sequences())
    chosen = data.draw(options(sequence))
    with tempfile.TemporaryDirectory() as folder:
        found = load_sequence(write_glb(sequence, Path(folder) / "a.glb", **chosen))
    assert (found.frame_count, found.fps, found.name) == (sequence.frame_count, sequence.fps, sequence.name)
    low, high = sequence.bounds().astype(np.float64)
    extent = max(float((high - low).max()), float(np.abs(sequence.bounds()).max()))
    tolerance = extent * (2 / 32767 if chosen["quantize"] else 2e-6)
    for ours, theirs, faces, expected in zip(found.vertices, sequence.vertices, found.faces, sequence.faces):
        np.testing.assert_array_equal(faces, expected)
        if len(expected):
            np.testing.assert_allclose(ours, theirs, rtol=0, atol=tolerance)
