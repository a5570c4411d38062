"""One progress bar over all stages, a note of what each did, and the clock."""

from __future__ import annotations

import time
from typing import Any

from ...progress import Check, Progress, tick

POINT_MAP_STEPS = 2


class Stages:
    """Counts the steps of a run whose stages and their ``lengths`` are known beforehand."""

    def __init__(self, lengths: dict[str, int], progress: Progress | None, check: Check | None):
        self.lengths, self.progress, self.check = lengths, progress, check
        self.total, self.done, self._end = sum(lengths.values()), 0, 0
        self.notes: dict[str, dict[str, Any]] = {}
        self._name, self._began = "", 0.0

    def begin(self, name: str) -> None:
        """Start a stage; the one before has ended, however many of its steps it took."""
        self._close()
        self._name, self._began = name, time.perf_counter()
        self._end += self.lengths[name]
        self.notes[name] = {}

    def step(self) -> None:
        """One step of the running stage; more than its length are not counted. Cancels here."""
        self.done = min(self.done + 1, self._end)
        tick(self.progress, self.check, self.done, self.total)

    def note(self, **values: Any) -> None:
        """What the running stage found."""
        self.notes[self._name].update(values)

    def finish(self) -> None:
        """The last stage has ended."""
        self._close()
        tick(self.progress, self.check, self.total, self.total)

    def _close(self) -> None:
        if self._name:
            self.notes[self._name]["seconds"] = round(time.perf_counter() - self._began, 3)
        self.done = self._end
