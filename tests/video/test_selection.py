"""Frames are chosen by their timestamps and keep the duration of their range."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shapegen4d_core.errors import InputError
from shapegen4d_core.video.notices import frame_list
from shapegen4d_core.video.selection import select_frames

EVEN = np.arange(10) / 20.0
HELD = np.array([0.0, 0.1, 0.2, 1.0, 1.1])  # the third frame is held for 0.8 s; the last one ends at 1.2 s


@pytest.mark.parametrize(
    ("options", "indices", "fps"),
    [
        ({}, range(10), 20.0),
        ({"start": 3, "stop": 7}, range(3, 7), 20.0),
        ({"stride": 3}, (0, 3, 6, 9), 20 / 3),
        ({"stride": 2, "start": 1}, (1, 3, 5, 7, 9), 10.0),
        ({"count": 5}, (0, 2, 4, 6, 8), 10.0),
        ({"count": 10}, range(10), 20.0),
        ({"count": 1}, (0,), 2.0),
        ({"count": 2, "stride": 2}, (0, 4), 4.0),
        ({"start": 9}, (9,), 20.0),
    ],
)
def test_even_frames(options, indices, fps):
    selection = select_frames(EVEN, 0.5, **options)
    assert selection.indices == tuple(indices)
    assert selection.fps == pytest.approx(fps)


def test_held_frames_are_weighed_by_their_time():
    everything = select_frames(HELD, 1.2)
    assert everything.indices == (0, 1, 2, 3, 4)
    assert everything.fps == pytest.approx(5 / 1.2)
    four = select_frames(HELD, 1.2, count=4)  # wanted at 0, 0.3, 0.6 and 0.9 s
    assert four.indices == (0, 2, 2, 3)
    assert four.fps == pytest.approx(4 / 1.2)
    assert select_frames(HELD, 1.2, start=1, stop=3).fps == pytest.approx(2 / 0.9)


@settings(max_examples=60, deadline=None)
@given(
    gaps=st.lists(st.floats(0.001, 5), min_size=1, max_size=30),
    data=st.data(),
)
def test_count_picks_the_nearest_and_keeps_the_duration(gaps, data):
    times, end = np.concatenate([[0.0], np.cumsum(gaps)[:-1]]), float(np.sum(gaps))
    start = data.draw(st.integers(0, len(times) - 1))
    stop = data.draw(st.integers(start + 1, len(times)))
    count = data.draw(st.integers(1, stop - start))
    selection = select_frames(times, end, start, stop, 1, count)
    duration = (times[stop] if stop < len(times) else end) - times[start]
    assert len(selection.indices) / selection.fps == pytest.approx(duration)
    assert selection.indices == tuple(sorted(selection.indices))
    for place, index in enumerate(selection.indices):
        distances = np.abs(times[start:stop] - (times[start] + place * duration / count))
        assert start <= index < stop
        assert distances[index - start] == pytest.approx(distances.min(), abs=1e-9)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"start": -1}, "start is -1"),
        ({"start": 4, "stop": 4}, r"stop is 4, accepted is more than start \(4\)"),
        ({"stop": 11}, "stop is 11, but there are 10 frames; set stop to at most 10"),
        ({"start": 10}, "start is 10, but there are 10 frames; set start below 10"),
        ({"start": 12, "stop": 14}, "start is 12.* set start below 10"),
        ({"stride": 0}, "stride is 0"),
        ({"count": 0}, "count is 0"),
        ({"count": 6, "stride": 2}, "count asks for 6 frames.*leave 5"),
    ],
)
def test_refused(options, message):
    with pytest.raises(InputError, match=message) as caught:
        select_frames(EVEN, 0.5, **options)
    assert "\n" not in str(caught.value)


def test_time_that_stands_still_is_refused():
    with pytest.raises(InputError, match="set fps"):
        select_frames(np.zeros(3), 0.0)


def test_frame_lists_read_well():
    assert frame_list([3]) == "frame 3"
    assert frame_list([7, 1, 2, 3]) == "frames 1-3, 7"
