"""Contact sheets: every frame at its place, sizes, labels, blocks, errors, the file."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from shapegen4d_core.errors import InputError
from shapegen4d_core.rendering import contact_sheet, save_png


def flat(values: list[float], size: tuple[int, int] = (10, 12), channels: int = 3) -> np.ndarray:
    """One plain frame per grey value, float32."""
    frames = np.ones((len(values), *size, channels), np.float32)
    frames[..., :3] = np.array(values, np.float32)[:, None, None, None]
    return frames


def test_frames_stand_side_by_side_and_rows_below_each_other():
    sheet = contact_sheet([flat([0, 0.2]), flat([0.4, 0.6])])
    assert sheet.shape == (4 + 2 * 14, 4 + 2 * 16, 3) and sheet.dtype == np.uint8
    expected = np.full_like(sheet, 255)
    for row, values in enumerate([(0, 51), (102, 153)]):
        for column, value in enumerate(values):
            expected[4 + row * 14 : 14 + row * 14, 4 + column * 16 : 16 + column * 16] = value
    np.testing.assert_array_equal(sheet, expected)


def test_transparency_shows_the_background():
    row = torch.from_numpy(flat([0.0], channels=4))
    row[..., 3] = 0.75
    sheet = contact_sheet([row], background=(0.2, 0.4, 1.0))
    assert sheet[0, 0].tolist() == [51, 102, 255]
    assert sheet[8, 8].tolist() == [13, 26, 64]


def test_bytes_and_floats_agree():
    floats = flat([0.2, 0.8])
    np.testing.assert_array_equal(contact_sheet([floats]), contact_sheet([(floats * 255).round().astype(np.uint8)]))


def test_smaller_pictures_grow_to_the_height_of_the_largest():
    sheet = contact_sheet([flat([0.4], (20, 20)), flat([0.0], (10, 5))])
    assert sheet.shape == (4 + 2 * 24, 28, 3)
    lower = sheet[28:48, :, 0]
    assert (lower[:, 9:19] == 0).all() and (lower[:, :9] == 255).all() and (lower[:, 19:] == 255).all()


def test_columns_wrap_into_blocks():
    sheet = contact_sheet([flat([0, 0.2, 0.4]), flat([0.6, 0.8, 1.0])], columns=2)
    assert sheet.shape == (4 + 2 * (2 * 14 + 4) - 4, 4 + 2 * 16, 3)
    corners = [sheet[4 + y, 4 + x, 0] for y in (0, 14, 32, 46) for x in (0, 16)]
    assert corners == [0, 51, 153, 204, 102, 255, 255, 255]
    assert sheet[35, 4, 0] == 255 and sheet[45, 4, 0] == 102


def test_labels_stand_above_their_rows_in_ink():
    plain = contact_sheet([flat([0.5], (10, 90))] * 2)
    labelled = contact_sheet([flat([0.5], (10, 90))] * 2, labels=["input", "mesh"])
    assert labelled.shape[0] == plain.shape[0] + 2 * 18
    assert (labelled[4:18] < 100).any() and (labelled[32 + 4 : 32 + 18] < 100).any()
    np.testing.assert_array_equal(labelled[22:32, 4:94], 128)
    dark = contact_sheet([flat([0.5], (10, 90))], labels=["input"], background=(0, 0, 0))
    assert (dark[4:18] > 155).any()


@pytest.mark.parametrize(
    ("rows", "options", "words"),
    [
        ([], {}, "no rows"),
        ([flat([0]), flat([0, 1])], {}, "have 1, 2 frames"),
        ([flat([0])[0]], {}, "has shape"),
        ([flat([0]).astype(np.int64)], {}, "int64"),
        ([flat([0])], {"labels": ["a", "b"]}, "1 rows and 2 labels"),
        ([flat([0])], {"columns": 0}, "at least 1"),
    ],
)
def test_errors(rows, options, words):
    with pytest.raises(InputError, match=words):
        contact_sheet(rows, **options)


def test_the_file_is_a_png_of_the_same_pixels_and_alone(tmp_path):
    sheet = contact_sheet([flat([0.1, 0.9])])
    save_png(sheet, tmp_path / "sheet.png")
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "sheet.png")), sheet)
    assert [path.name for path in tmp_path.iterdir()] == ["sheet.png"]
    with pytest.raises(InputError, match="does not exist"):
        save_png(sheet, tmp_path / "missing" / "sheet.png")
