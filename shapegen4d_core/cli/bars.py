"""Progress bars on the terminal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tqdm import tqdm

from ..progress import Progress


@contextmanager
def bar(title: str, quiet: bool = False) -> Iterator[Progress]:
    """A progress callback that draws one bar on stderr."""
    with tqdm(desc=title, unit="", disable=quiet, dynamic_ncols=True) as line:

        def report(step: int, total: int, preview: Any = None) -> None:
            line.total = total
            line.update(step - line.n)

        yield report
