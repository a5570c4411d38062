"""Progress bar that remembers what it was told."""

from __future__ import annotations

from typing import Any

REPORTS: list[tuple[int, int]] = []
PREVIEWS: list[Any] = []


class ProgressBar:
    """Bar of the running node."""

    def __init__(self, total: int) -> None:
        self.total = total

    def update_absolute(self, value: int, total: int | None = None, preview: Any = None) -> None:
        """Note the new position."""
        REPORTS.append((value, total or self.total))
        if preview is not None:
            PREVIEWS.append(preview)
