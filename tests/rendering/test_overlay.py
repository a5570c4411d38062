"""Overlays: the plate where nothing is drawn, a mix inside, a line along the border."""

from __future__ import annotations

import pytest
import torch

from shapegen4d_core.errors import InputError
from shapegen4d_core.rendering import composite, overlay, parse_colour
from shapegen4d_core.rendering.overlay import OUTLINE, outline_of

ORANGE = torch.tensor(OUTLINE)


def square(size: int = 32) -> torch.Tensor:
    """A red square in the middle of transparent pictures [2,size,size,4]."""
    pictures = torch.zeros(2, size, size, 4)
    pictures[:, size // 4 : -size // 4, size // 4 : -size // 4] = torch.tensor([1.0, 0, 0, 1])
    return pictures


def test_plate_outside_mix_inside_line_between():
    plate = torch.rand(2, 32, 32, 3)
    laid = overlay(square(), plate, opacity=0.25)
    assert torch.equal(laid[:, :5], plate[:, :5])
    expected = plate[:, 14:18, 14:18] * 0.75 + torch.tensor([0.25, 0, 0])
    torch.testing.assert_close(laid[:, 14:18, 14:18], expected)
    unlined = overlay(square(), plate, opacity=0.25, outline=None)
    share = ((laid - unlined) / (ORANGE - unlined)).nan_to_num()[:, 16, 6:11]  # of the line, across the border
    torch.testing.assert_close(share[0], share[0, :, :1].expand(-1, 3), atol=1e-4, rtol=0)
    assert float(share[:, 1:3].min()) > 0.5 and float(share[:, 4].max()) < 1e-4
    torch.testing.assert_close(overlay(square(), plate, 0.25, outline=None)[:, 16, 8], laid.new_tensor(
        [0.25, 0, 0]) + 0.75 * plate[:, 16, 8])


def test_the_line_is_there_at_no_opacity_and_grows_with_the_picture():
    black = torch.zeros(2, 32, 32, 3)
    assert float(overlay(square(), black, opacity=0.0)[:, 16, 8].max()) > 0.5
    thin, thick = (float(outline_of(square(size)[..., 3])[0, size // 2].sum()) for size in (64, 1024))
    assert 2 < thin < 6 and thick > 2 * thin
    assert float(outline_of(torch.ones(1, 8, 8)).max()) == 0


def test_a_plate_with_alpha_stands_on_the_background():
    plate = torch.zeros(2, 32, 32, 4)
    laid = overlay(square(), plate, background=(0.0, 1.0, 0.0))
    assert torch.equal(laid[0, 0, 0], torch.tensor([0.0, 1, 0]))


def test_composite():
    pictures = torch.tensor([0.5, 0.5, 0.5, 0.5]).expand(1, 2, 2, 4)
    torch.testing.assert_close(composite(pictures, (1.0, 0.0, 0.0))[0, 0, 0], torch.tensor([0.75, 0.25, 0.25]))
    assert parse_colour("#ff0033") == (1.0, 0.0, 0.2) and parse_colour("lime") == (0.0, 1.0, 0.0)
    opaque = torch.rand(1, 2, 2, 3)
    assert torch.equal(composite(opaque, (1.0, 0.0, 0.0)), opaque)


def test_refusals():
    for arguments, words in (
        ((square()[..., :3], torch.zeros(2, 32, 32, 3)), r"accepted is \[T,H,W,4\]"),
        ((square(), torch.zeros(3, 32, 32, 3)), "same count of frames"),
        ((square(), torch.zeros(2, 32, 32, 3), 1.5), "opacity is 1.5"),
    ):
        with pytest.raises(InputError, match=words):
            overlay(*arguments)
    with pytest.raises(InputError, match="pictures have shape"):
        composite(torch.zeros(2, 2, 4), (1.0, 1.0, 1.0))
