import numpy as np
import pytest

from shapegen4d_core.geometry.motion import edge_strain, jitter, point_jitter, volume_drift

RNG = np.random.default_rng(0)


def test_jitter_ignores_steady_motion():
    assert jitter(np.arange(5.0)[:, None] * np.ones((1, 7))) == pytest.approx(0)
    assert jitter(np.array([[0.0], [1.0], [0.0], [1.0]])) == pytest.approx(2)
    assert jitter(np.ones((2, 3))) == 0


def test_point_jitter_equals_a_loop_and_ignores_size_and_drift():
    points = RNG.normal(size=(6, 500, 3))
    total = []
    for t in range(1, 5):
        for row in range(500):
            total.append(np.linalg.norm(points[t + 1, row] - 2 * points[t, row] + points[t - 1, row]))
    side = max(points[..., axis].max() - points[..., axis].min() for axis in range(3))
    assert point_jitter(points) == pytest.approx(np.mean(total) / side)
    assert point_jitter(5 * points) == pytest.approx(point_jitter(points))
    still = np.repeat(points[:1], 6, axis=0) + np.arange(6)[:, None, None]
    assert point_jitter(still) == pytest.approx(0, abs=1e-12)


def test_volume_drift_is_against_the_truth():
    assert volume_drift([2.0, 2.0, 2.0]) == 0
    assert volume_drift([2.0, 3.0, 1.0]) == pytest.approx((0 + 0.5 + 0.5) / 3)
    assert volume_drift([2.0, 4.0], [1.0, 2.0]) == 0, "the truth breathes as well"
    assert volume_drift([1.0, 1.0], [1.0, 2.0]) == pytest.approx(0.5)
    assert np.isnan(volume_drift([0.0, 1.0]))


def test_edge_strain_of_a_stretched_triangle():
    first = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0.0]])
    faces = np.array([[0, 1, 2]])
    stretched = first * [4, 1, 1]
    strain = edge_strain(np.stack([first, stretched]), faces)
    ratio = np.array([4, 1, np.sqrt(17 / 2)])
    assert strain.mean == pytest.approx(np.abs(np.log2(ratio)).mean())
    assert strain.abnormal == pytest.approx(2 / 3)
    moved = edge_strain(np.stack([first, first @ np.diag([1, -1, 1.0]) + 3]), faces)
    assert moved.mean == pytest.approx(0, abs=1e-12) and moved.abnormal == 0


def test_edge_strain_equals_a_loop_over_edges(creature):
    vertices, faces = creature
    frames = np.stack([vertices, vertices * RNG.uniform(0.3, 2.5, vertices.shape)])
    edges = {tuple(sorted((int(face[k]), int(face[(k + 1) % 3])))) for face in faces for k in range(3)}
    ratios = [np.linalg.norm(frames[1, a] - frames[1, b]) / np.linalg.norm(frames[0, a] - frames[0, b])
              for a, b in edges]
    strain = edge_strain(frames, faces)
    assert strain.mean == pytest.approx(np.mean(np.abs(np.log2(ratios))))
    assert strain.abnormal == pytest.approx(np.mean([ratio > 2 or ratio < 0.5 for ratio in ratios]))
