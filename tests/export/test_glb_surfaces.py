"""Vertices that stay together in all frames are found, whatever order they come in."""

from __future__ import annotations

import numpy as np
import pytest

from shapegen4d_core.errors import Cancelled
from shapegen4d_core.export.surfaces import Surfaces
from shapegen4d_core.geometry.coincident import coincident_vertices
from tests.export.shapes import waving


@pytest.mark.parametrize("seed", range(20))
def test_groups_are_the_equal_tracks(seed):
    random = np.random.default_rng(seed)
    frame_count, count = int(random.integers(1, 5)), int(random.integers(1, 40))
    frames = [random.integers(0, 3, (count, 3)).astype(np.float32) for _ in range(frame_count)]
    tracks = np.stack(frames, axis=1).reshape(count, -1)
    groups = coincident_vertices(frames)
    assert sorted(set(groups)) == list(range(groups.max() + 1))
    together = groups[:, None] == groups[None]
    np.testing.assert_array_equal(together, (tracks[:, None] == tracks[None]).all(axis=2))


def test_no_vertices_no_groups():
    assert len(coincident_vertices([np.zeros((0, 3), np.float32)] * 2)) == 0


def test_looking_for_seams_can_be_cancelled():
    def check() -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        Surfaces(waving(uv=np.zeros((42, 2), np.float32)), check)
