"""Object crop and pixel preparation against golden/image_preprocess: 8-bit values exact."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np
import pytest

from shapegen4d_core.models import ImageEncoderConfig
from shapegen4d_core.models.preprocess import crop_to_object, pixel_values


@pytest.fixture(scope="module")
def case(golden):
    return golden("image_preprocess")


def test_object_crop_is_exact(case):
    assert case.config["cases"]
    for number, settings in enumerate(case.config["cases"]):
        picture = case.io[f"in_{number}"].numpy()
        result = crop_to_object(picture, settings["foreground_ratio"], tuple(settings["background_color"]))
        np.testing.assert_array_equal(result, case.io[f"out_{number}"].numpy(), f"case {number}")


def test_processor(case):
    side, processor = case.config["override"]["size"], case.config["processor"]
    config = replace(ImageEncoderConfig(), image_size=side, table_size=side)
    assert list(config.mean) == processor["image_mean"] and list(config.std) == processor["image_std"]
    pixels = pixel_values(case.io["big_in"].numpy(), config)[0].numpy()
    rows = case.io["big_f_rows"].numpy()
    assert np.abs(pixels[:, :: stride(side, rows.shape[1], 129)] - rows).max() <= 1e-6
    mean, std = (np.array(value, np.float64)[:, None, None] for value in (config.mean, config.std))
    bytes_again = np.rint((pixels * std + mean) * 255).astype(np.uint8)
    sampled = case.io["big_u8_rows"].numpy()
    np.testing.assert_array_equal(bytes_again[:, :: stride(side, sampled.shape[1], 37)], sampled)
    assert hashlib.sha256(np.ascontiguousarray(bytes_again).tobytes()).hexdigest() == case.config["big"]["u8_sha256"]


def stride(side: int, count: int, documented: int) -> int:
    """The step that picks ``count`` of ``side`` rows: the README's where it fits, else the first that does."""
    steps = (documented, *range(1, side))
    return next(step for step in steps if len(range(0, side, step)) == count)
