"""Travel that is taken away, one box for the sequence, and which assets are refused."""

from dataclasses import replace

import numpy as np
import pytest
import trimesh

from shapegen4d_core.data.curation.placing import place, travel
from shapegen4d_core.data.curation.rejection import Rejected
from shapegen4d_core.data.curation.selection import check_mesh, check_motion, dominance
from shapegen4d_core.data.parts import rotation

BALL = trimesh.creation.icosphere(2, 0.5)
FACES = np.asarray(BALL.faces, np.int32)
STEPS = np.linspace(0, 1, 5)[:, None, None]


def still(count=5):
    return np.repeat(BALL.vertices[None].astype(np.float32), count, axis=0)


def test_the_skeletons_root_is_taken_away_in_all_directions():
    root = np.array([[0, 1, 0]]) + np.linspace(0, 1, 5)[:, None] * [3, 0.5, -2]
    moved = (still() + (root - root[0])[:, None]).astype(np.float32)
    path = travel(moved, FACES, root.astype(np.float32))
    assert np.allclose(path, root - root[0], atol=1e-5)
    placed = place(moved, FACES, path, np.eye(3), 0.97)
    assert np.ptp(placed.vertices, axis=0).max() < 1e-5
    assert np.allclose(placed.root_motion, path * placed.zoom, atol=1e-5)


def test_without_a_skeleton_only_a_body_that_leaves_is_followed():
    away, near = np.array([2.0, 0, -1.0]), np.array([0.05, 0, 0])
    assert np.allclose(travel(still() + STEPS * away, FACES, None)[-1], away, atol=1e-6)
    assert not travel(still() + STEPS * near, FACES, None).any()
    held = np.zeros((5, 3), np.float32)  # the root joint stays behind while the body leaves
    assert np.allclose(travel(still() + STEPS * away, FACES, held)[-1], away, atol=1e-6)


def test_growing_keeps_its_foot_on_the_ground_and_flying_does_not():
    growing = still() * (1 + STEPS * [0, 1, 0]) + STEPS * [0, 0.5, 0]
    assert not travel(growing, FACES, None).any()
    thrown = still() + (STEPS * (1 - STEPS)) * np.array([0, 6, 0])
    path = travel(thrown, FACES, None)
    assert np.allclose(path[:, 1], (STEPS * (1 - STEPS))[:, 0, 0] * 6) and not path[:, [0, 2]].any()


def test_one_box_holds_all_frames_and_the_map_is_the_one_that_is_recorded():
    vertices = (still() * (1 + STEPS * [2, 0, 0])).astype(np.float32) + np.float32(7)
    spare = np.concatenate([vertices, np.full((5, 1, 3), 99, np.float32)], axis=1)  # no face uses it
    path, turn = np.linspace(0, 1, 5)[:, None] * [0.2, 0.1, 0], rotation("y", 40.0)
    placed = place(spare, FACES, path, turn, 0.9)
    used = placed.vertices[:, :-1]
    assert used.max() == pytest.approx(0.9) and used.min() == pytest.approx(-0.9)
    assert np.allclose(used.max((0, 1)), -used.min((0, 1)))
    travelled = placed.root_motion @ turn / placed.zoom
    again = ((spare - travelled[:, None]) @ turn.T - placed.centre) * placed.zoom
    assert np.allclose(again, placed.vertices, atol=1e-5)


def refusal(check, *arguments):
    with pytest.raises(Rejected) as caught:
        check(*arguments)
    return caught.value.reason


def test_refusals_have_their_own_reason(small):
    lively = still(4) * (1 + np.array([0, 0.2, 0.1, 0.3])[:, None, None] * [1, 0, 0])
    assert check_motion(lively, FACES, small)["motion"] > 0.05
    assert refusal(check_mesh, still(), FACES[:20], small) == "too few faces"
    assert refusal(check_mesh, np.zeros_like(still()), FACES, small) == "too few faces"
    assert refusal(check_motion, still(4), FACES, small) == "no motion"
    late = still(9)
    late[-1] *= 1.5
    assert refusal(check_motion, late, FACES, small) == "too few frames"
    burst = still(4) * np.array([0.02, 0.03, 0.04, 1.9])[:, None, None]
    assert refusal(check_motion, burst, FACES, small) == "exploding motion"
    jumping = still(4) + np.array([-0.5, 0.5, -0.5, 0.5])[:, None, None] * [0.9, 0, 0]
    assert refusal(check_motion, jumping, FACES, small) == "exploding motion"


def test_a_ground_dwarfs_its_object_and_a_body_does_not():
    ground = trimesh.creation.box((40, 0.1, 40)).apply_translation((0, -0.6, 0))
    scene = trimesh.util.concatenate([BALL, ground])
    vertices, faces = scene.vertices[None].astype(np.float32), np.asarray(scene.faces, np.int32)
    assert dominance(vertices, faces) == pytest.approx(40)
    person = trimesh.util.concatenate([BALL, trimesh.creation.icosphere(1, 0.05).apply_translation((0.5, 0.1, 0))])
    assert dominance(person.vertices[None].astype(np.float32), np.asarray(person.faces, np.int32)) < 15
    assert dominance(BALL.vertices[None].astype(np.float32), FACES) == 0
    split = BALL.triangles.reshape(1, -1, 3).astype(np.float32)  # stored without shared vertices: still one part
    assert dominance(split, np.arange(split.shape[1]).reshape(-1, 3)) == 0


def test_reasons_are_a_fixed_set(small):
    with pytest.raises(AssertionError):
        Rejected("bad mood", "today")
    assert refusal(check_mesh, still(), FACES, replace(small, least_faces=10_000)) == "too few faces"
