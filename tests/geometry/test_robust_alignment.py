import numpy as np
import pytest

from shapegen4d_core.errors import InputError
from shapegen4d_core.geometry.robust_alignment import fit_robust_similarity
from shapegen4d_core.geometry.similarity import Similarity, fit_similarity

TOLERANCE = 1e-4


def angle_degrees(first, second):
    cosine = (np.trace(first @ second.T) - 1) / 2
    return np.degrees(np.arccos(np.clip(cosine, -1, 1)))


def random_similarity(rng):
    rotation, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    return Similarity(rng.uniform(0.3, 3), rotation * np.sign(np.linalg.det(rotation)), rng.normal(size=3))


def test_reference_values_with_weights(golden):
    """The reference centres with the weights and then fits with their squares; so does this, by mirrored pairs."""
    data = golden("alignment")
    for item in range(3):
        source, target, weights = (data[name][item].astype(np.float64) for name in ("in.X", "in.Y", "in.weights"))
        centres = [np.average(points, axis=0, weights=weights) for points in (source, target)]
        both = [np.concatenate([points - centre, centre - points]) for points, centre in zip((source, target), centres)]
        found = fit_similarity(*both, weights=np.tile(weights**2, 2))
        np.testing.assert_allclose(found.rotation.T, data["out.similarity_weighted.R"][item], atol=TOLERANCE)
        np.testing.assert_allclose(found.scale, data["out.similarity_weighted.s"][item], atol=TOLERANCE)
        offset = centres[1] - found.scale * found.rotation @ centres[0]
        np.testing.assert_allclose(offset, data["out.similarity_weighted.T"][item], atol=TOLERANCE)


def test_reference_values_without_wrong_pairs(golden):
    """On the reference's slightly noisy pairs the robust fit stays beside the least-squares one."""
    data = golden("alignment")
    for item, (source, target) in enumerate(zip(data["in.X"], data["in.Y"])):
        found = fit_robust_similarity(source, target).transform
        assert angle_degrees(found.rotation, data["out.similarity.R"][item].T) < 0.2
        assert found.scale == pytest.approx(float(data["out.similarity.s"][item]), rel=0.005)


def test_weights_are_repetitions():
    rng = np.random.default_rng(1)
    source, target = rng.normal(size=(2, 20, 3))
    times = rng.integers(0, 4, 20)
    plain = fit_similarity(np.repeat(source, times, axis=0), np.repeat(target, times, axis=0))
    weighted = fit_similarity(source, target, weights=times.astype(float))
    np.testing.assert_allclose(weighted.rotation, plain.rotation, atol=1e-12)
    np.testing.assert_allclose(weighted.scale, plain.scale, rtol=1e-12)
    np.testing.assert_allclose(weighted.translation, plain.translation, atol=1e-12)


def test_exact_pairs_give_the_exact_transform():
    rng = np.random.default_rng(2)
    truth, source = random_similarity(rng), rng.normal(size=(300, 3))
    found = fit_robust_similarity(source, truth(source))
    assert angle_degrees(found.transform.rotation, truth.rotation) < 1e-5
    assert found.transform.scale == pytest.approx(truth.scale, rel=1e-9)
    assert found.inliers == 1 and found.median_distance < 1e-9


@pytest.mark.parametrize("wrong", [0.05, 0.2, 0.4])
def test_wrong_pairs_change_little(wrong):
    """A least-squares fit is far off; the robust one is as good as with the right pairs alone."""
    rng = np.random.default_rng(3)
    for _ in range(10):
        truth, source = random_similarity(rng), rng.uniform(-1, 1, (2000, 3)) * [1.0, 0.6, 0.3]
        target = truth(source) + rng.normal(size=source.shape) * 0.01 * truth.scale
        bad = rng.random(len(source)) < wrong
        target[bad] = truth(rng.uniform(-2, 2, (bad.sum(), 3)) + 1)
        found, best = fit_robust_similarity(source, target), fit_similarity(source[~bad], target[~bad])
        assert angle_degrees(found.transform.rotation, best.rotation) < 0.3
        assert found.transform.scale == pytest.approx(best.scale, rel=0.01)
        assert found.share[bad].mean() < 0.05 < 0.5 < found.share[~bad].mean()
    assert angle_degrees(fit_similarity(source, target).rotation, truth.rotation) > 0.5


def test_weights_of_the_robust_fit_count():
    rng = np.random.default_rng(4)
    first, second, source = random_similarity(rng), random_similarity(rng), rng.normal(size=(400, 3))
    half = np.arange(400) < 200
    target = np.where(half[:, None], first(source), second(source))
    for mask, truth in ((half, first), (~half, second)):
        found = fit_robust_similarity(source, target, np.where(mask, 1.0, 0.2))
        assert angle_degrees(found.transform.rotation, truth.rotation) < 0.01


def test_many_pairs_of_little_weight_do_not_widen_the_fit():
    """What most of the weight agrees on decides which pairs are wrong, not what most of the pairs do."""
    rng = np.random.default_rng(6)
    truth, source = random_similarity(rng), rng.normal(size=(1000, 3))
    right = np.arange(1000) < 300
    target = np.where(right[:, None], truth(source), truth(source) + rng.normal(size=(1000, 3)) * 0.3 + 0.2)
    found = fit_robust_similarity(source, target, np.where(right, 1.0, 0.1))
    assert angle_degrees(found.transform.rotation, truth.rotation) < 1e-3
    np.testing.assert_allclose(found.transform.translation, truth.translation, atol=1e-4)


def test_bad_pairs_are_refused():
    points = np.random.default_rng(5).normal(size=(5, 3))
    with pytest.raises(InputError, match=r"\[P,3\]"):
        fit_robust_similarity(points, points[:4])
    with pytest.raises(InputError, match="finite"):
        fit_robust_similarity(points, np.where(points > 9, 0, np.inf))
    with pytest.raises(InputError, match="finite"):
        fit_robust_similarity(points, points, -np.ones(5))
    with pytest.raises(InputError, match="2 of those given"):
        fit_robust_similarity(points, points, np.array([1.0, 1, 0, 0, 0]))
