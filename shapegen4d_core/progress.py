"""Progress and cancellation, the same two hooks for every long loop of the core."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol


class Progress(Protocol):
    """Called after each step with ``step`` (1..total), ``total`` and an optional preview value."""

    def __call__(self, step: int, total: int, preview: Any = None) -> None: ...


Check = Callable[[], None]


def tick(progress: Progress | None, check: Check | None, step: int, total: int, preview: Any = None) -> None:
    """Report one finished step, then let the caller cancel.

    Raises whatever ``check`` raises, usually :class:`shapegen4d_core.errors.Cancelled`.
    """
    if progress is not None:
        progress(step, total, preview)
    if check is not None:
        check()


def look(check: Check | None) -> None:
    """Let the caller cancel, between two long pieces of one step; raises what ``check`` raises."""
    if check is not None:
        check()


class Meter:
    """Counts what is done, usually bytes, out of ``total``; after every share it reports and lets the caller cancel."""

    def __init__(self, total: int, progress: Progress | None, check: Check | None) -> None:
        self.total, self.done = total, 0
        self._progress, self._check = progress, check

    def advance(self, count: int) -> None:
        """Add a finished share; raises whatever the cancel check raises."""
        self.done += count
        tick(self._progress, self._check, self.done, self.total)
