"""Whole sequences: one topology, the true motion, changes found, refusals, progress, cancelling."""

from __future__ import annotations

import dataclasses
import time

import numpy as np
import pytest

from shapegen4d_core.errors import Cancelled, InputError
from shapegen4d_core.geometry.mesh import area_vectors, vertex_normals
from shapegen4d_core.registration.tracking import TrackSettings, report, track_topology
from shapegen4d_core.sequence import MeshSequence
from tests.registration.tracking.conftest import mesh_of, sequence, union

QUICK = TrackSettings(faces=1200, iterations=10, coarse_iterations=6, nodes=60, samples=1500)


@pytest.fixture(scope="module", autouse=True)
def few_points():
    """Reports from fewer points: their floor is higher, nothing else changes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(report, "POINTS", 3000)
        yield


@pytest.fixture(scope="module")
def tracked(bending):
    moving = bending(4)
    return moving, track_topology(moving.meshes, QUICK)


def test_one_topology_and_the_true_motion(tracked):
    moving, result = tracked
    meshes = result.meshes
    assert meshes.fixed_topology and result.segments == ((0, 4),) and meshes.frame_count == 4
    assert len(meshes.faces[0]) <= 1200 < len(moving.meshes.faces[0])
    start = meshes.vertices[0].astype(float)
    for t in range(1, 4):
        truth = moving.carried(start, t)
        error = np.linalg.norm(meshes.vertices[t] - truth, axis=1).mean()
        assert error < 0.3 * np.linalg.norm(start - truth, axis=1).mean()
        turned = (area_vectors(meshes.vertices[t], meshes.faces[t]) * area_vectors(truth, meshes.faces[0])).sum(1) < 0
        assert turned.mean() <= 0.002


def test_normals_are_those_of_the_result(tracked):
    meshes = tracked[1].meshes
    for points, faces, normals in zip(meshes.vertices, meshes.faces, meshes.normals):
        np.testing.assert_allclose(normals, vertex_normals(points, faces), atol=1e-6)


def test_report(tracked):
    said = tracked[1].report
    assert [row.frame for row in said.frames] == [0, 1, 2, 3] and said.anchors == (0,)
    assert said.faces[0] <= 1200 < said.source_faces[0] == len(tracked[0].meshes.faces[0])
    for row in said.frames[1:]:
        assert row.before > 1.1 * row.after and row.ratio < 1.5 and row.flipped <= 0.002
        assert row.unmatched < 0.02 and row.strain > 0.01 and not row.change
    assert said.frames[0].strain == 0 and said.hints() == []
    assert len(said.table()) == 5
    folded = dataclasses.replace(said, frames=(*said.frames[:3], dataclasses.replace(said.frames[3], crossing=0.05)))
    assert folded.hints() == ["Frame 4: faces that cross others; pleats, or parts in contact."]


def test_same_seed_same_result(bending):
    again = track_topology(bending(2).meshes, QUICK).meshes
    once = track_topology(bending(2).meshes, QUICK).meshes
    for first, second in zip(once.vertices, again.vertices):
        np.testing.assert_array_equal(first, second)
    other = track_topology(bending(2).meshes, TrackSettings(**{**QUICK.to_dict(), "seed": 1})).meshes
    assert 0 < np.abs(other.vertices[1] - again.vertices[1]).max() < 0.1


def test_lengths_and_place_of_the_input_are_kept(bending):
    meshes = bending(2).meshes
    moved = sequence([(100 * vertices + 7, faces) for vertices, faces in zip(meshes.vertices, meshes.faces)])
    start, end = ((vertices - 7) / 100.0 for vertices in track_topology(moved, QUICK).meshes.vertices)
    assert np.linalg.norm(end - bending(2).carried(start, 1), axis=1).mean() < 0.02


def test_anchor_in_the_middle(bending):
    moving = bending(3)
    result = track_topology(moving.meshes, TrackSettings(**{**QUICK.to_dict(), "anchor": 1, "bidirectional": True}))
    assert result.report.anchors == (1,) and result.report.frames[1].strain == 0
    start = moving.carried(result.meshes.vertices[1].astype(float), -1)
    for t in (0, 2):
        assert np.linalg.norm(result.meshes.vertices[t] - moving.carried(start, t), axis=1).mean() < 0.02


def test_blobs_that_merge_begin_a_new_mesh_at_the_right_frame(merging):
    result = track_topology(merging, QUICK)
    assert result.segments == ((0, 3), (3, 6))
    assert [bool(row.change) for row in result.report.frames] == [False] * 3 + [True] + [False] * 2
    assert "parts 2 to 1" in result.report.frames[3].change
    faces = result.meshes.faces
    assert faces[0] is faces[2] and faces[3] is faces[5] and not result.meshes.fixed_topology
    assert max(row.ratio for row in result.report.frames) < 1.5


def test_a_change_can_be_forced_or_refused(merging):
    forced = track_topology(merging, TrackSettings(**{**QUICK.to_dict(), "on_change": "force"}))
    assert forced.meshes.fixed_topology and forced.segments == ((0, 6),)
    assert [row.frame for row in forced.report.frames if row.change] == [3]
    with pytest.raises(InputError, match="changes at frame 4 .parts 2 to 1.*on_change"):
        track_topology(merging, TrackSettings(on_change="error"))


def test_a_mesh_that_loses_the_surface_begins_anew(bending):
    """A cross appears: no part, loop or hollow more, yet no motion leads there."""
    first = bending(2).meshes
    balls = [((x, 0, 0), 0.2) for x in (-0.8, -0.4, 0, 0.4, 0.8)] + [((0, 0, z), 0.2) for z in (-0.8, -0.4, 0.4, 0.8)]
    frames = [*zip(first.vertices, first.faces), mesh_of(union(balls), 32)]
    result = track_topology(sequence(frames), QUICK)
    assert result.segments == ((0, 2), (2, 3)) and "without a partner" in result.report.frames[2].change
    with pytest.raises(InputError, match="changes at frame 2"):
        track_topology(sequence(frames[1:]), TrackSettings(**{**QUICK.to_dict(), "on_change": "error"}))


def test_refusals(bending):
    meshes = bending(2).meshes
    vertices, faces = meshes.vertices, meshes.faces
    with pytest.raises(InputError, match="one frame"):
        track_topology(MeshSequence(vertices[:1], faces[:1], 8.0))
    nothing = np.zeros((0, 3), np.float32), np.zeros((0, 3), np.int32)
    with pytest.raises(InputError, match="without a surface .2."):
        track_topology(sequence([(vertices[0], faces[0]), nothing]))
    flat = np.zeros_like(vertices[0])
    with pytest.raises(InputError, match="no area"):
        track_topology(sequence([(vertices[0], faces[0]), (flat, faces[0])]))
    with pytest.raises(InputError, match="anchor is frame 5.*0..1"):
        track_topology(meshes, TrackSettings(anchor=5))


@pytest.mark.parametrize(
    "wrong",
    [{"faces": 10}, {"anchor": "last"}, {"anchor": -1}, {"on_change": "hide"}, {"iterations": 0}, {"plane": 1.5},
     {"stiffness": (1.0,)}, {"stiffness": (1.0, 0.0)}, {"solver": "magic"}, {"normal_weight": float("nan")},
     {"smoothness": -1.0},
     {"samples": 5.0}],
    ids=str,
)  # fmt: skip
def test_settings_are_checked(wrong):
    with pytest.raises(InputError, match=next(iter(wrong))):
        TrackSettings(**wrong)


def test_edges_of_three_faces_are_carried(bending):
    """A fin that stands on an edge of the body makes that edge non-manifold."""
    meshes = bending(2).meshes
    fins = []
    for vertices, faces in zip(meshes.vertices, meshes.faces):
        top = vertices[faces[0]].mean(axis=0) * 1.2
        extra = np.array([[faces[0][0], faces[0][1], len(vertices)]], np.int32)
        fins.append((np.concatenate([vertices, top[None]]), np.concatenate([faces, extra])))
    result = track_topology(sequence(fins), TrackSettings(**{**QUICK.to_dict(), "faces": 10_000}))
    assert result.meshes.fixed_topology and result.report.frames[1].ratio < 1.5


def test_progress_rises_to_its_end_and_cancelling_works_within_a_second(bending):
    meshes, seen = bending(3).meshes, []
    track_topology(meshes, QUICK, progress=lambda step, total, preview=None: seen.append((step, total)))
    steps, totals = zip(*seen)
    assert list(steps) == sorted(steps) and set(totals) == {totals[0]} and steps[-1] == totals[0]
    calls = []

    def check():
        calls.append(time.process_time())  # other programs may slow the clock on the wall
        if len(calls) > 15:
            raise Cancelled

    with pytest.raises(Cancelled):
        track_topology(meshes, QUICK, check=check)
    assert np.diff(calls).max() < 1.0
