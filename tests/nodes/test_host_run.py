"""The check that nodes leave their inputs alone, which every test that runs a node makes."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch

from tests.nodes.host_run import contents


@dataclass
class Held:
    array: np.ndarray
    names: tuple


@pytest.mark.parametrize("change", [
    lambda held: held["deep"][0].array.__setitem__((0, 0), 5), lambda held: held["frames"].mul_(2),
    lambda held: held["deep"].append(1), lambda held: held["settings"].update(seed=2),
    lambda held: setattr(held["deep"][0], "names", ("b",)),
])  # fmt: skip
def test_a_change_anywhere_is_seen(change):
    held = {"deep": [Held(np.zeros((2, 2)), ("a",))], "frames": torch.ones(2, 3), "settings": {"seed": 1}}
    before = contents(held)
    assert contents(held) == before
    change(held)
    assert contents(held) != before
