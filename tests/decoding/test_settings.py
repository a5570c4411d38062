"""Decode settings are checked when made, and say what to change."""

from __future__ import annotations

import json

import pytest

from shapegen4d_core.decoding import DecodeSettings
from shapegen4d_core.errors import InputError


@pytest.mark.parametrize(
    "name, values",
    [
        ("resolution", [7, 0, -1, 64.0, True, None, "64"]),
        ("bounds", [0, -1.0, float("nan"), float("inf"), "1"]),
        ("level", [1.0, -0.95, float("nan"), None]),
        ("method", ["fine", "", None]),
        ("truncation", [0, -0.1, float("inf"), "0.1"]),
        ("chunk", [0, -5, 1.5]),
        ("floater_ratio", [-0.1, 1.1, float("nan"), None]),
        ("max_faces", [3, 0, 1e5]),
    ],
)
def test_each_setting_is_named_when_wrong(name, values):
    for value in values:
        with pytest.raises(InputError, match=f"{name} is"):
            DecodeSettings(**{name: value})


def test_settings_are_json_and_come_back():
    settings = DecodeSettings(resolution=64, level=-0.2, truncation=0.1, max_faces=5000)
    assert DecodeSettings(**json.loads(json.dumps(settings.to_dict()))) == settings
