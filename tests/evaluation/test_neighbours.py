import numpy as np
import pytest

from shapegen4d_core.evaluation.neighbours import NearestFrames, thumbnail


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
