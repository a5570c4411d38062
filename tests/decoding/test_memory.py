"""Chunks: chosen from memory, halved once when it runs out, values the same."""

from __future__ import annotations

import pytest
import torch

from shapegen4d_core.decoding import memory
from shapegen4d_core.decoding.memory import ChunkedField, choose_chunk, free_memory
from shapegen4d_core.errors import Cancelled, InputError

POINTS = torch.linspace(-1, 1, 3000).view(1000, 3)


def norm(points):
    return points.norm(dim=1)


def needs_less_than(limit, error=None):
    """A field that runs out of memory with ``limit`` points or more."""

    def field(points):
        if len(points) >= limit:
            raise error or torch.OutOfMemoryError("CUDA out of memory")
        return norm(points)

    return field


def test_free_memory_is_known_here():
    assert free_memory() > 1 << 20


def test_chunk_follows_memory(monkeypatch):
    free = {"bytes": 1 << 27}
    monkeypatch.setattr(memory, "free_memory", lambda device: free["bytes"])
    assert choose_chunk(1 << 12) == 1 << 13  # a quarter of 2^27 over 2^12
    free["bytes"] = 1 << 26
    assert choose_chunk(1 << 12) == 1 << 12
    free["bytes"] = 0
    assert choose_chunk(1 << 14) == memory.LEAST_POINTS
    free["bytes"] = 1 << 50
    assert choose_chunk(1 << 12) == memory.MOST_BYTES["cpu"] >> 12
    assert choose_chunk(1) == memory.MOST_POINTS


def test_free_memory_without_a_system_answer(monkeypatch):
    def missing(*_):
        raise OSError

    monkeypatch.setattr("builtins.open", missing)
    monkeypatch.setattr(memory.os, "sysconf", missing)
    assert free_memory() == memory.UNKNOWN_FREE_BYTES


@pytest.mark.parametrize("chunk", [1, 7, 999, 1000, 5000])
def test_values_do_not_depend_on_the_chunk(chunk):
    field = ChunkedField(norm, chunk, level=0.25)
    assert torch.equal(field(POINTS), norm(POINTS) - 0.25)
    assert field.evaluations == 1000


def test_half_precision_answers_become_float32():
    assert ChunkedField(lambda p: norm(p).half(), 64)(POINTS).dtype == torch.float32


def test_no_gradients_are_kept():
    weight = torch.ones(3, requires_grad=True)
    assert not ChunkedField(lambda p: p @ weight, 64)(POINTS).requires_grad


@pytest.mark.parametrize(
    "error", [None, RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate")]
)
def test_out_of_memory_halves_the_chunk_once(error):
    field = ChunkedField(needs_less_than(400, error), 600)
    with pytest.warns(UserWarning, match="going on with 300 points"):
        values = field(POINTS)
    assert torch.equal(values, norm(POINTS)) and field.chunk == 300


def test_out_of_memory_twice_is_an_error():
    field = ChunkedField(needs_less_than(100), 600)
    with pytest.warns(UserWarning, match="300"), pytest.raises(InputError, match="300 points.*chunk"):
        field(POINTS)


def test_other_failures_pass_unchanged():
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        ChunkedField(needs_less_than(1, RuntimeError("mat1 and mat2 shapes cannot be multiplied")), 10)(POINTS)


def test_values_that_are_not_finite_are_refused():
    def broken(points):
        return torch.where(points[:, 0] > 0.9, torch.nan, 0.5)

    with pytest.raises(InputError, match="not finite at .* float32"):
        ChunkedField(broken, 100)(POINTS)


def test_answers_of_the_wrong_shape_are_refused():
    with pytest.raises(InputError, match=r"\[100, 3\] for 100 points"):
        ChunkedField(lambda p: p, 100)(POINTS)


def test_check_cancels_between_chunks():
    calls = []

    def check():
        calls.append(1)
        if len(calls) == 3:
            raise Cancelled

    field = ChunkedField(norm, 100, check=check)
    with pytest.raises(Cancelled):
        field(POINTS)
    assert len(calls) == 3
