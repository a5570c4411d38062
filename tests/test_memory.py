"""Free memory, and the second try with half the work."""

import pytest
import torch

from shapegen4d_core import memory
from shapegen4d_core.errors import InputError
from shapegen4d_core.memory import Halving, free_memory, out_of_memory

OUT = [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"),
    RuntimeError("MPS backend out of memory (MPS allocated: 9 GB)"),
    RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate"),
]


def test_free_memory_is_known_here():
    assert free_memory() > 1 << 20


def test_free_memory_without_a_system_answer(monkeypatch):
    def missing(*_):
        raise OSError

    monkeypatch.setattr("builtins.open", missing)
    monkeypatch.setattr(memory.os, "sysconf", missing)
    assert free_memory() == memory.UNKNOWN_FREE_BYTES


def test_what_counts_as_out_of_memory():
    assert all(out_of_memory(error) for error in OUT)
    assert not out_of_memory(RuntimeError("shapes cannot be multiplied")) and not out_of_memory(MemoryError())


def too_much_above(limit, error=OUT[0]):
    def work(amount):
        if amount > limit:
            raise error
        return amount

    return work


@pytest.mark.parametrize("error", OUT, ids=str)
def test_half_is_tried_once_and_kept(error):
    halving = Halving(12, "frames at once", "take fewer frames")
    with pytest.warns(UserWarning, match="going on with 6 frames at once"):
        assert halving(too_much_above(6, error)) == 6
    assert halving(too_much_above(6, error)) == 6


def test_when_half_is_too_much_the_setting_is_named():
    with pytest.warns(UserWarning), pytest.raises(InputError, match="with 6 frames at once; take fewer") as caught:
        Halving(12, "frames at once", "take fewer frames")(too_much_above(5))
    assert out_of_memory(caught.value.__cause__)
    with pytest.raises(InputError, match="with 1 frames"):
        Halving(1, "frames at once", "take fewer frames")(too_much_above(0))


def test_other_errors_pass():
    with pytest.raises(RuntimeError, match="shapes"):
        Halving(12, "frames", "take fewer")(too_much_above(0, RuntimeError("shapes cannot be multiplied")))
