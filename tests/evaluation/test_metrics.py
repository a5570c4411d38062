import numpy as np
import pytest

from shapegen4d_core.evaluation.metrics import chamfer_distance, jitter, mean_and_error, occupancy_iou
from shapegen4d_core.evaluation.neighbours import NearestFrames, thumbnail


def test_iou_of_known_boxes():
    first, second = np.zeros((2, 4, 4, 4), dtype=bool)
    first[:2], second[1:3] = True, True
    assert occupancy_iou(first, second) == pytest.approx(1 / 3)
    assert occupancy_iou(first, first) == 1 and occupancy_iou(first, np.zeros_like(first)) == 0
    assert occupancy_iou(np.zeros_like(first), np.zeros_like(first)) == 1


def test_chamfer_equals_brute_force_and_is_symmetric():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(50, 3)), rng.normal(size=(40, 3))
    gaps = np.linalg.norm(a[:, None] - b[None], axis=-1)
    assert chamfer_distance(a, b) == pytest.approx(gaps.min(1).mean() + gaps.min(0).mean())
    assert chamfer_distance(a, b) == pytest.approx(chamfer_distance(b, a))
    assert chamfer_distance(a, rng.permutation(a)) == 0
    assert chamfer_distance(a, np.zeros((0, 3))) == 2


def test_jitter_ignores_steady_motion():
    steady = np.arange(5.0)[:, None] * np.ones((1, 7))
    assert jitter(steady) == pytest.approx(0)
    assert jitter(np.array([[0.0], [1.0], [0.0], [1.0]])) == pytest.approx(2)


def test_mean_and_standard_error():
    values = np.array([1.0, 2.0, 3.0, 4.0])
    assert mean_and_error(values) == (2.5, pytest.approx(values.std(ddof=1) / 2))


@pytest.mark.parametrize("silhouette", [False, True])
def test_nearest_frames_find_themselves(silhouette):
    rng = np.random.default_rng(0)
    rgba = rng.integers(0, 255, (3, 2, 28, 28, 4), dtype=np.uint8)
    latents = rng.normal(size=(3, 2, 4, 5)).astype(np.float16)
    bank = NearestFrames(rgba, latents, silhouette)
    assert np.array_equal(bank.latents_of(rgba[1]), latents[1].astype(np.float32))
    assert thumbnail(rgba[0], silhouette).shape == (2, 14 * 14 * (1 if silhouette else 4))


def test_silhouette_search_ignores_colour():
    rng = np.random.default_rng(0)
    rgba = rng.integers(0, 255, (3, 2, 28, 28, 4), dtype=np.uint8)
    latents = rng.normal(size=(3, 2, 4, 5)).astype(np.float32)
    painted = rgba[2].copy()
    painted[..., :3] = 255 - painted[..., :3]
    assert np.array_equal(NearestFrames(rgba, latents, True).latents_of(painted), latents[2])
