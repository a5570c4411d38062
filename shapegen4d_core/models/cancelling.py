"""A look at the stop button between the blocks of a network, so that one long evaluation can be cancelled.

Attention over very many tokens is long by itself; it looks between groups of queries (see ``layers.attention``).
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import torch
from torch import Tensor, nn

from ..progress import Check

QUEUES = ("cuda", "mps", "xpu")  # devices that work behind the program
INTERVAL = 0.2  # seconds between two looks; on a GPU each waits for the work that is under way


class _Look:
    """A forward pre-hook that calls ``check`` when the last call is long enough ago."""

    def __init__(self, check: Check) -> None:
        self.check, self.last = check, time.monotonic()

    def __call__(self, module: nn.Module | None, given: tuple[Any, ...]) -> None:
        if time.monotonic() - self.last < INTERVAL:
            return
        for kind in {tensor.device.type for tensor in given if isinstance(tensor, Tensor)} & set(QUEUES):
            getattr(torch, kind).synchronize()  # or the whole evaluation would be queued before anybody can stop it
        self.check()
        self.last = time.monotonic()


_current: ContextVar[_Look | None] = ContextVar("look", default=None)


def watched() -> bool:
    """Whether somebody may cancel what is computed now."""
    return _current.get() is not None


def look(tensor: Tensor) -> None:
    """Let the caller of :func:`cancellable` cancel, in the middle of a block that works on ``tensor``."""
    current = _current.get()
    if current is not None:
        current(None, (tensor,))


@contextmanager
def cancellable(check: Check | None, *networks: nn.Module | None) -> Iterator[None]:
    """Inside a with block, call ``check`` between the repeated blocks of ``networks``; it may raise to cancel.

    Blocks are the members of lists and dictionaries of modules. None among the networks is passed over.
    """
    hook, handles = None if check is None else _Look(check), []
    token = _current.set(hook)
    for network in networks if hook is not None else ():
        modules = [] if network is None else network.modules()
        groups = [module for module in modules if isinstance(module, nn.ModuleList | nn.ModuleDict)]
        blocks = [block for group in groups for block in group.children()]
        handles += [block.register_forward_pre_hook(hook) for block in blocks]
    try:
        yield
    finally:
        _current.reset(token)
        for handle in handles:
            handle.remove()
