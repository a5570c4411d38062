import numpy as np
import pytest

from shapegen4d_core.evaluation.measures import MEASURES
from shapegen4d_core.evaluation.score_file import Row
from shapegen4d_core.evaluation.statistics import bootstrap_interval, paired, per_asset, summarise


def row(asset, method="a", seed=0, failure=None, **values):
    return Row(asset, "group", method, seed, values, failure)


def test_the_interval_is_that_of_normal_theory_for_many_values():
    values = np.random.default_rng(1).normal(3.0, 2.0, 400)
    low, high = bootstrap_interval(values)
    half = 1.96 * values.std(ddof=1) / np.sqrt(400)
    assert [low, high] == pytest.approx([values.mean() - half, values.mean() + half], abs=0.03)
    assert bootstrap_interval(values) == (low, high), "seeded"
    assert bootstrap_interval(np.array([2.5])) == (2.5, 2.5)


def test_intervals_cover_the_truth_about_as_often_as_they_say():
    rng = np.random.default_rng(0)
    hits = 0
    for number in range(200):
        low, high = bootstrap_interval(rng.normal(size=40), number, 400)
        hits += low < 0 < high
    assert 0.88 < hits / 200 < 0.99


def test_summaries_count_what_is_undefined():
    found = summarise([1.0, 2.0, 6.0, np.nan])
    assert (found.count, found.mean, found.median, found.undefined) == (3, 3.0, 2.0, 1)
    assert summarise([np.nan]).undefined == 1 and np.isnan(summarise([np.nan]).mean)


def test_seeds_are_averaged_within_an_asset():
    rows = [row("x", seed=0, iou=0.2), row("x", seed=1, iou=0.6), row("y", iou=1.0), row("x", "b", iou=0.0)]
    assert per_asset(rows, "a", "iou") == {"x": pytest.approx(0.4), "y": 1.0}


@pytest.mark.parametrize("measure", ["iou", "chamfer", "jitter", "cd_m"])
def test_a_failure_is_the_worst_value_and_not_left_out(measure):
    rows = [row("x", **{measure: 0.5}), row("y", failure="no file")]
    values = per_asset(rows, "a", measure)
    assert values["y"] == MEASURES[measure].worst
    better = MEASURES[measure].higher
    assert (summarise(values.values()).mean < 0.5) if better else (summarise(values.values()).mean > 0.5)


def test_paired_differences_use_the_assets_of_both():
    first, second = {"x": 1.0, "y": 2.0, "z": 9.0}, {"x": 0.5, "y": 1.5, "w": 3.0}
    found = paired(first, second)
    assert (found.count, found.mean, found.low, found.high) == (2, 0.5, 0.5, 0.5)
