"""Jitter and drift of meshes of changing topology, from voxels."""

import numpy as np
import pytest
import trimesh

from shapegen4d_core.evaluation.mesh_files import Shapes
from shapegen4d_core.evaluation.occupancy import solid_bend
from shapegen4d_core.evaluation.paper import PaperSettings, score_paper
from shapegen4d_core.sequence import MeshSequence

SETTINGS = PaperSettings(points=500, voxels=32, views=0, align=False)
STEADY = (-0.4, -0.3, -0.2, -0.1, 0.0, 0.1)
STUTTER = (-0.4, -0.4, -0.2, -0.2, 0.0, 0.0)


def moving(places, gone=()):
    """A ball at places along x, of another topology in every second frame."""
    frames = []
    for t, x in enumerate(places):
        ball = trimesh.creation.icosphere(2 + t % 2, 0.5)
        frames.append((ball.vertices + [x, 0, 0], ball.faces) if t not in gone else (np.zeros((0, 3)),) * 2)
    return Shapes(MeshSequence([v.astype(np.float32) for v, _ in frames], [f.astype(np.int32) for _, f in frames], 8.0))


def test_jitter_of_changing_topology_is_over_that_of_the_truth():
    truth = moving(STEADY)
    assert not truth.tracked and score_paper(truth, truth, SETTINGS)[0]["jitter"] == 1
    assert score_paper(moving(STUTTER), truth, SETTINGS)[0]["jitter"] > 1.5
    assert score_paper(moving((0.0,) * 6), truth, SETTINGS)[0]["jitter"] < 0.5


def test_jitter_is_undefined_where_the_truth_has_none_and_the_worst_where_the_prediction_vanishes():
    still = MeshSequence(moving(STEADY).meshes.vertices[:1] * 3, moving(STEADY).meshes.faces[:1] * 3, 8.0)
    assert np.isnan(score_paper(moving(STEADY[:3]), Shapes(still), SETTINGS)[0]["jitter"])
    assert np.isnan(score_paper(moving(STEADY[:2]), moving(STEADY[:2]), SETTINGS)[0]["jitter"]), "two frames"
    values, empty = score_paper(moving(STEADY, gone=(2,)), moving(STEADY), SETTINGS)
    assert empty == 1 and values["jitter"] == 10


def test_a_wall_that_moves_on_steadily_bends_less_than_one_that_stutters():
    walls = [np.zeros((40, 40, 40), bool) for _ in range(3)]
    for voxel, wall in zip((20, 21, 22), walls):
        wall[:voxel] = True
    steady, stutter = solid_bend(walls[:3]), solid_bend([walls[0], walls[0], walls[2]])
    swept = [int(np.count_nonzero(a ^ b)) for a, b in ((walls[0], walls[1]), (walls[1], walls[2]))]
    assert sum(swept) == np.count_nonzero(walls[0] ^ walls[2]), "both sweep the same volume"
    assert steady > 0 and stutter > 3 * steady and solid_bend([walls[0]] * 3) == 0
    unblurred = np.abs(walls[0].astype(float) - 2 * walls[1] + walls[2])
    assert steady < unblurred.mean() and stutter == pytest.approx(2 / 40, rel=0.2)
