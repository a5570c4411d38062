"""Looking at a sequence while it is sampled: what is shown where, and how little time it may take."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from shapegen4d_core.errors import Cancelled, InputError
from shapegen4d_core.preview import _BACKGROUND, SIDE, SequencePreview, spread

GROUND = np.array([round(255 * value) for value in _BACKGROUND])


class Balls:
    """Decodes a latent as a ball whose radius is its first number, and lets a clock run while it does."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds, self.now, self.decoded = seconds, 0.0, 0

    def decode(self, latents):
        self.now, self.decoded = self.now + self.seconds, self.decoded + 1
        return latents[:, 0, 0]

    def field(self, radius):
        return lambda points: (radius[:, None] - points.norm(dim=2)).clamp(-0.1, 0.1) / 0.1

    def clock(self) -> float:
        return self.now


def latents(*radii: float):
    return torch.tensor(radii)[:, None, None].expand(-1, 4, 2)


def shown(sheet, frame, columns):
    row, column = divmod(frame, columns)
    cell = sheet[row * SIDE : (row + 1) * SIDE, column * SIDE : (column + 1) * SIDE]
    return (np.abs(cell.astype(int) - GROUND).max(axis=2) > 8).mean()


@pytest.mark.parametrize("share", [0.02, 0.05, 0.3])
def test_looking_stays_below_its_share_of_the_time(share):
    balls = Balls(seconds=1.0)
    preview = SequencePreview(balls, 4, share, clock=balls.clock)
    for step in range(1, 101):
        balls.now += 10.0
        preview(latents(0.5, 0.5, 0.5, 0.5), step, 100)
        if step > 50 and balls.decoded > 1:
            assert balls.decoded <= share * balls.now
    assert balls.decoded >= 0.9 * share * 0.5 * 1000  # and the share is used, once there is a cost to go by


def test_one_frame_is_always_shown_but_only_in_the_second_half():
    balls = Balls(seconds=100.0)
    preview = SequencePreview(balls, 8, 0.05, clock=balls.clock)
    sheets = [preview(latents(*[0.5] * 8), step, 10) for step in range(1, 11)]
    assert [step for step, sheet in enumerate(sheets, 1) if sheet is not None] == [5] and balls.decoded == 1


def test_every_frame_lands_in_its_own_place():
    balls = Balls()
    preview = SequencePreview(balls, 10, 1.0, clock=balls.clock)
    sheet = preview(latents(*(0.09 * frame + 0.05 for frame in range(9)), -1.0), 10, 10)
    assert sheet.shape == (2 * SIDE, 5 * SIDE, 3) and sheet.dtype == np.uint8
    filled = [shown(sheet, frame, 5) for frame in range(10)]
    assert filled[:9] == sorted(filled[:9]) and filled[0] < 0.02 and filled[8] > 0.25 and filled[9] == 0


def test_an_estimate_without_surface_leaves_the_background():
    preview = SequencePreview(Balls(), 2, 1.0, clock=lambda: 0.0)
    sheet = preview(latents(-1.0, 0.6), 2, 2)
    assert shown(sheet, 0, 2) == 0 and shown(sheet, 1, 2) > 0.1


def test_later_estimates_replace_earlier_ones_and_the_sheet_is_a_copy():
    preview = SequencePreview(Balls(), 1, 1.0, clock=lambda: 0.0)
    first = preview(latents(0.3), 2, 2)
    kept = first.copy()
    second = preview(latents(0.9), 2, 2)
    assert shown(second, 0, 1) > 2 * shown(first, 0, 1) and np.array_equal(first, kept)


def test_frames_are_spread_over_the_clip():
    assert spread(8)[:4] == [0, 7, 3, 5]
    for count in range(1, 40):
        assert sorted(spread(count)) == list(range(count))


@pytest.mark.parametrize("share", [0.0, -1.0, 1.5])
def test_shares_out_of_range_are_refused(share):
    with pytest.raises(InputError, match="share is"):
        SequencePreview(Balls(), 2, share)


def test_looking_at_many_frames_can_be_cancelled_between_two():
    balls, looks = Balls(), []

    def check():
        looks.append(balls.decoded)
        if len(looks) == 3:
            raise Cancelled

    preview = SequencePreview(balls, 10, 1.0, clock=lambda: 0.0, check=check)
    with pytest.raises(Cancelled):
        preview(latents(*[0.5] * 10), 5, 5)
    assert looks == [1, 2, 3]
