"""The whole fit: true skins come out near to exact, soft motion is reported as it is, the same seed gives the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from shapegen4d_core.errors import Cancelled, InputError
from shapegen4d_core.importing import load_animated, to_sequence
from shapegen4d_core.rigging import RigSettings, fit_rig
from shapegen4d_core.rigging import fit as fitting
from shapegen4d_core.sequence import MeshSequence
from tests.rigging.skins import bodies, crumpled, sequence, tube

PANDA = Path(__file__).parents[1] / "data" / "animated" / "panda_walk.glb"
QUICK = {"iterations": 10, "tries": 2}


def diagonal(meshes: MeshSequence) -> float:
    return float(np.linalg.norm(np.ptp(meshes.bounds().astype(np.float64), axis=0)))


def distances(rig, meshes) -> np.ndarray:
    """Distances [T,V] in percent of the diagonal, by the formula of the class and nothing else."""
    places = np.concatenate([rig.rest, np.ones((len(rig.rest), 1))], axis=1)
    motions = np.concatenate([rig.rotations, rig.translations[..., None]], axis=3)
    each = np.einsum("tvkij,vj->tvki", motions[:, rig.joints], places)
    found = np.einsum("vk,tvki->tvi", rig.weights.astype(np.float64), each)
    return 100 * np.linalg.norm(found - np.stack(meshes.vertices), axis=2) / diagonal(meshes)


@pytest.fixture(scope="module")
def panda():
    return to_sequence(load_animated(PANDA, frames=8))


@pytest.fixture(scope="module")
def panda_rig(panda):
    return fit_rig(panda, RigSettings(joints=20, iterations=8, tries=1))


def test_a_tube_of_six_joints_is_found_with_six():
    rig = fit_rig(tube(6, rings=24), RigSettings(joints=6))
    assert rig.joint_count == 6
    assert rig.report.rms < 0.1 and rig.report.worst < 1
    assert fit_rig(tube(6, rings=24), RigSettings(joints=8)).report.rms < 0.03


def test_a_real_animal_needs_half_of_its_joints(panda, panda_rig):
    """The panda's own skeleton has 42 joints, up to 4 per vertex, and scales some."""
    assert panda_rig.report.rms < 0.05 and panda_rig.report.worst < 0.5
    assert panda_rig.report.hints() == []


def test_rigid_bodies_are_exact_and_need_one_joint_each():
    meshes = bodies(3)
    rig = fit_rig(meshes, RigSettings(joints=16, influences=1, **QUICK))
    assert 3 <= rig.joint_count <= 4
    assert rig.report.worst < 1e-4


def test_what_does_not_move_needs_one_joint():
    still = sequence([tube().vertices[0]] * 3, tube().faces[0])
    rig = fit_rig(still, RigSettings(**QUICK))
    assert rig.joint_count == 1 and rig.report.worst < 1e-5


def test_the_report_is_what_anybody_would_measure(panda, panda_rig):
    off, report = distances(panda_rig, panda), panda_rig.report
    assert report.rms == pytest.approx(np.sqrt((off**2).mean()), rel=1e-3)
    assert report.worst == pytest.approx(off.max(), rel=1e-3)
    assert off[report.worst_frame, report.worst_vertex] == pytest.approx(off.max(), rel=1e-3)
    np.testing.assert_allclose(report.frame_rms, np.sqrt((off**2).mean(axis=1)), rtol=1e-3)
    np.testing.assert_allclose(report.frame_worst, off.max(axis=1), rtol=1e-3)
    assert (report.joints, report.influences) == (20, (panda_rig.weights > 0).sum(axis=1).max())
    assert len(report.table()) == 2 + panda.frame_count


def test_soft_motion_is_said_to_be_soft():
    meshes = crumpled()
    rig = fit_rig(meshes, RigSettings(joints=6, **QUICK))
    off = distances(rig, meshes)
    assert rig.report.rms == pytest.approx(np.sqrt((off**2).mean()), rel=1e-3) and rig.report.rms > 1
    soft, worst = rig.report.hints()
    assert "soft for 6 joints" in soft and f"Frame {off.max(axis=1).argmax() + 1} has a vertex" in worst


def test_a_mirrored_body_is_no_rigid_motion():
    body = bodies(1).vertices[0]
    mirrored = sequence([body * (side, 1, 1) for side in (-1, 1) * 4], bodies(1).faces[0])
    rig = fit_rig(mirrored, RigSettings(joints=1, **QUICK))
    np.testing.assert_allclose(np.linalg.det(rig.rotations), 1)
    assert rig.report.rms > 10 and "raise joints" in rig.report.hints()[0]


def test_joints_that_would_not_be_used_are_not_advised():
    few = np.random.default_rng(0).normal(size=(6, 5, 3))
    rig = fit_rig(sequence(few, [[0, 1, 2], [2, 3, 4]]), RigSettings(joints=24, **QUICK))
    assert rig.joint_count < 24 and rig.report.rms > 5
    assert "write the sequence without a rig" in rig.report.hints()[0] and "raise" not in rig.report.hints()[0]


def test_weights_are_shares_of_few_joints(panda_rig):
    weights = panda_rig.weights
    assert weights.dtype == np.float32 and panda_rig.joints.dtype == np.int32
    assert weights.min() >= 0 and (np.diff(weights, axis=1) <= 0).all()
    np.testing.assert_array_equal(weights.sum(axis=1, dtype=np.float32), 1)  # exactly
    assert not panda_rig.joints[weights == 0].any()
    rows = np.where(weights > 0, panda_rig.joints, -1 - np.arange(4))
    assert all(len(set(row)) == 4 for row in rows)
    assert set(range(20)) == set(panda_rig.joints[weights > 0])


def test_motions_are_rigid(panda_rig):
    turns = panda_rig.rotations
    np.testing.assert_allclose(turns @ turns.swapaxes(2, 3), np.broadcast_to(np.eye(3), turns.shape), atol=1e-9)
    np.testing.assert_allclose(np.linalg.det(turns), 1, atol=1e-9)


def test_seams_stay_shut(panda, panda_rig):
    """Vertices that lie in one place all the time, as at the seams of a texture, still do."""
    every = np.concatenate(panda.vertices, axis=1)
    _, groups = np.unique(every, axis=0, return_inverse=True)
    assert groups.max() + 1 < len(every)
    for frame in range(panda.frame_count):
        found = panda_rig.vertices(frame)
        first = np.zeros_like(found[: groups.max() + 1])
        first[groups.reshape(-1)] = found
        np.testing.assert_array_equal(found, first[groups.reshape(-1)])


def test_the_same_seed_gives_the_same_rig():
    meshes = tube(5, 6, rings=20)
    rigs = [fit_rig(meshes, RigSettings(joints=5, seed=seed, iterations=4, tries=2)) for seed in (3, 3, 0)]
    for key in ("rest", "joints", "weights", "rotations", "translations"):
        first, second, other = (getattr(rig, key) for rig in rigs)
        np.testing.assert_array_equal(first, second)
        assert first.shape != other.shape or not np.array_equal(first, other)


def test_a_sample_of_the_vertices_is_as_good(monkeypatch):
    meshes, settings = tube(5, 6, rings=60), RigSettings(joints=6, **QUICK)
    whole = fit_rig(meshes, settings).report.rms
    monkeypatch.setattr(fitting, "SAMPLE", 200)
    sampled = fit_rig(meshes, settings)
    assert len(sampled.rest) == 720 and sampled.report.rms < 2 * whole + 0.02


@pytest.mark.parametrize(("error", "met"), [(1.0, True), (0.001, False)])
def test_joints_are_added_until_the_error_is_met(error, met):
    report = fit_rig(tube(4, 5, rings=16), RigSettings(joints=9, error=error, iterations=3, tries=1)).report
    assert report.met == met == (report.rms <= error)
    assert (report.joints < 6) if met else (report.joints == 9)
    assert any(f"not {error:g} % as asked" in hint for hint in report.hints()) != met


def test_rest_pose_is_a_frame_when_asked():
    meshes = tube(4)
    kept = fit_rig(meshes, RigSettings(joints=4, frame=2, fit_rest=False, **QUICK))
    np.testing.assert_allclose(kept.rest, meshes.vertices[2], atol=1e-6 * diagonal(meshes))
    fitted = fit_rig(meshes, RigSettings(joints=4, frame=2, **QUICK))
    assert fitted.report.rms < kept.report.rms


@pytest.mark.parametrize(("scale", "offset"), [(1e-4, 0.0), (1e6, 1e7), (0.01, -5.0)])
def test_size_and_place_do_not_matter(scale, offset):
    meshes = tube(4, frame_count=5, rings=16)
    other = sequence([scale * frame.astype(np.float64) + offset for frame in meshes.vertices], meshes.faces[0])
    one, two = (fit_rig(entry, RigSettings(joints=4, **QUICK)).report.rms for entry in (meshes, other))
    assert two == pytest.approx(one, rel=0.1, abs=2e-4)


def test_progress_ends_at_its_total_and_cancel_stops_at_once():
    seen = []
    few = RigSettings(joints=5, error=0.2, iterations=3, tries=1)
    fit_rig(tube(4, 4, rings=16), few, progress=lambda step, total, _=None: seen.append((step, total)))
    steps, totals = zip(*seen)
    assert len(set(totals)) == 1 and steps[-1] == totals[0] and (np.diff(steps) >= 0).all()

    calls = []

    def cancel() -> None:
        calls.append(None)
        if len(calls) == 5:
            raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        fit_rig(tube(4), RigSettings(**QUICK), check=cancel)
    assert len(calls) == 5


@pytest.mark.parametrize(
    ("meshes", "settings", "words"),
    [
        (MeshSequence((np.zeros((3, 3), np.float32),), (np.zeros((0, 3), np.int32),), 8.0), {}, "two frames or more"),
        (sequence([np.zeros((0, 3))] * 2, np.zeros((0, 3))), {}, "2 of 0"),
        (MeshSequence([tube().vertices[0]] * 2, [tube().faces[0], tube().faces[0][1:]], 8.0), {}, "that of 'sequence'"),
        (tube(), {"frame": 10}, "frames 0..9"),
    ],
)
def test_one_sentence_for_what_cannot_be_rigged(meshes, settings, words):
    with pytest.raises(InputError, match=words):
        fit_rig(meshes, RigSettings(**settings))


@pytest.mark.parametrize(
    "settings",
    [{"joints": 0}, {"joints": 256}, {"influences": 9}, {"error": 0}, {"error": float("nan")}, {"tries": 0},
     {"iterations": 0}, {"frame": -1}, {"seed": True}, {"fit_rest": 1}],
)  # fmt: skip
def test_settings_name_what_is_wrong(settings):
    with pytest.raises(InputError, match=f"Rig setting {next(iter(settings))} is"):
        RigSettings(**settings)


def test_the_rig_as_a_sequence(panda, panda_rig):
    moved = panda_rig.sequence(panda)
    assert moved.fps == panda.fps and moved.texture is panda.texture and moved.faces[3] is panda.faces[3]
    np.testing.assert_array_equal(moved.vertices[3], panda_rig.vertices(3))
    with pytest.raises(InputError, match="has 8 frames of 1338 vertices, but 'tube' has 10 of 480"):
        panda_rig.sequence(tube())
