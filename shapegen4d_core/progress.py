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
