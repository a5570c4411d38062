"""Where the samples of a stage go while it is being written, so that memory holds few frames at a time.

A crate file (.usdc) is saved every few MiB: what is saved stays on disk, and the library maps it when asked. Text
(.usda) cannot be appended to, so the lines of each frame are taken out of the layer and put together at the end.
"""

from __future__ import annotations

import errno
import re
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any

from ..progress import Check
from ..usd_library import usd_module

_SAVE_BYTES = 8 << 20
_COPY_CHARACTERS = 1 << 20
_SAMPLES = ".timeSamples = {\n"


class CrateSink:
    """Collects a stage in the binary file ``path``."""

    def __init__(self, path: Path) -> None:
        self._path, self._pending = path, 0
        self.layer = usd_module("Sdf").Layer.CreateNew(str(path))

    def frame_done(self, size: int) -> None:
        """Note that ``size`` bytes of samples were added, and save once there are many."""
        self._pending += size
        if self._pending >= _SAVE_BYTES:
            self._save()

    def finish(self, check: Check | None = None) -> None:
        """Write the rest."""
        self._save()

    def _save(self) -> None:
        self._pending = 0
        try:
            done, reason = self.layer.Save(), "the stage was not saved"
        except usd_module("Tf").ErrorException as error:
            done, reason = False, _first_reason(str(error))
        if not done:
            raise OSError(errno.EFBIG, reason)  # the library does not hand on the number the system gave

    def close(self) -> None:
        """Let go of the file."""
        self.layer = None


def _first_reason(report: str) -> str:
    """The first of the sentences in an error report of the library, "... in file ... : 'sentence'"."""
    found = re.search(r" : '(.*)'", report)
    return found.group(1) if found else "the stage was not saved"


class TextSink:
    """Collects a stage in the text file ``path``; the lines of each frame wait in temporary files beside it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._files = ExitStack()
        self._spools: dict[str, IO[str]] = {}  # by the line that opens the samples of an attribute
        self._sampled: list[Any] = []
        self.layer = usd_module("Sdf").Layer.CreateAnonymous(".usda")

    def frame_done(self, size: int) -> None:
        """Take the samples out of the layer."""
        opening = ""
        for line in self.layer.ExportToString().splitlines(keepends=True):
            if line.endswith(_SAMPLES):
                opening = line
            elif opening and line.strip() == "}":
                opening = ""
            elif opening:
                self._spool(opening).write(line)
        self._forget_samples()

    def finish(self, check: Check | None = None) -> None:
        """Write the layer, which has the constants by now, with the lines of all frames in their places."""
        block = usd_module("Sdf").ValueBlock()
        for path in self._sampled:
            self.layer.SetTimeSample(path, 0.0, block)  # one short line to be replaced
        text, start = self.layer.ExportToString(), 0
        places = sorted((text.rindex(opening), opening) for opening in self._spools)
        with open(self._path, "w", encoding="utf-8", newline="\n") as file:
            for place, opening in places:
                end = place + len(opening)
                file.write(text[start:end])
                self._copy(self._spools[opening], file, check)
                start = text.index("\n", end) + 1
            file.write(text[start:])

    def close(self) -> None:
        """Remove the temporary files."""
        self._files.close()
        self.layer = None

    def _spool(self, opening: str) -> IO[str]:
        if opening not in self._spools:
            file = tempfile.TemporaryFile("w+", dir=self._path.parent, encoding="utf-8", newline="\n")
            self._spools[opening] = self._files.enter_context(file)
        return self._spools[opening]

    def _forget_samples(self) -> None:
        sampled: list[Any] = []
        self.layer.Traverse("/", lambda path: sampled.append(path) if path.IsPropertyPath() else None)
        for path in sampled:
            times = self.layer.ListTimeSamplesForPath(path)
            for time in times:
                self.layer.EraseTimeSample(path, time)
            if times and path not in self._sampled:
                self._sampled.append(path)

    @staticmethod
    def _copy(spool: IO[str], file: IO[str], check: Check | None) -> None:
        spool.seek(0)
        while block := spool.read(_COPY_CHARACTERS):
            if check is not None:
                check()
            file.write(block)
