"""Texels of triangles on a page, the ring around them, and padding."""

from __future__ import annotations

import numpy as np
import pytest

from shapegen4d_core.errors import Cancelled
from shapegen4d_core.texturing import texels as texels_module
from shapegen4d_core.texturing.page import paint_page
from shapegen4d_core.texturing.texels import RING, surface_texels

SIZE = 16
UV = np.array([[0.25, 0.25], [0.75, 0.25], [0.75, 0.75], [0.25, 0.75]], np.float32)
FACES = np.array([[0, 1, 2], [0, 2, 3]], np.int32)


def test_a_square_covers_its_texels_once():
    texels = surface_texels(FACES, UV, SIZE)
    page = np.zeros(SIZE * SIZE, bool)
    page[texels.pixel[texels.inside]] = True
    expected = np.zeros((SIZE, SIZE), bool)
    expected[4:12, 4:12] = True
    assert np.array_equal(page.reshape(SIZE, SIZE), expected)
    assert len(np.unique(texels.pixel)) == len(texels)


def test_weights_give_the_texels_own_place():
    texels = surface_texels(FACES, UV, SIZE)
    uv = texels.mix(UV, FACES)
    centre = np.stack([texels.pixel % SIZE + 0.5, SIZE - texels.pixel // SIZE - 0.5], axis=1) / SIZE
    inside = texels.inside
    assert np.abs(uv - centre)[inside].max() < 1e-6
    outside = np.linalg.norm(uv - centre, axis=1)[~inside] * SIZE
    assert (~inside).sum() > 30 and outside.max() <= RING + 1e-5 and outside.min() > 0.4
    assert (texels.weights[~inside].min(axis=1) == 0).all()


def test_a_sliver_without_a_texel_centre_still_has_a_ring():
    uv = np.array([[0.1, 0.501], [0.9, 0.501], [0.9, 0.502]], np.float32)
    texels = surface_texels(np.array([[0, 1, 2]], np.int32), uv, SIZE)
    assert not texels.inside.any() and len(texels) >= 24


def test_result_does_not_depend_on_chunks(monkeypatch):
    whole = surface_texels(FACES, UV, SIZE)
    monkeypatch.setattr(texels_module, "_SAMPLES", 1)
    parts = surface_texels(FACES, UV, SIZE)
    for name in ("pixel", "face", "weights", "inside"):
        assert np.array_equal(getattr(whole, name), getattr(parts, name)), name


def test_cancel():
    def stop():
        raise Cancelled

    with pytest.raises(Cancelled):
        surface_texels(FACES, UV, SIZE, stop)


def test_padding_repeats_the_border_everywhere():
    texels = surface_texels(FACES, UV, SIZE)
    left = (texels.pixel % SIZE < SIZE // 2).astype(np.float32)
    colour = np.stack([left, 1 - left, left * 0], axis=1)
    page = paint_page(texels, colour)
    assert np.array_equal(page[:, 0], np.tile([1.0, 0, 0], (SIZE, 1)))
    assert np.array_equal(page[:, -1], np.tile([0, 1.0, 0], (SIZE, 1)))


def test_unknown_texels_are_padded_too():
    texels = surface_texels(FACES, UV, SIZE)
    known = texels.pixel % SIZE < SIZE // 2
    colour = np.where(known[:, None], 1.0, 0.0).astype(np.float32).repeat(3, axis=1)
    assert paint_page(texels, colour, known).min() == 1
