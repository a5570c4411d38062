"""Independent tasks on plain processes; results come as they are ready."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from typing import Any

import torch

from ..progress import Check, Progress, tick
from .score_file import Row, ScoreFile

_work: Callable[[Any], Any] | None = None


@contextmanager
def in_workers(work: Callable[[Any], Any], tasks: Sequence[Any], workers: int) -> Iterator[Iterable[Any]]:
    """An iterator over the results of ``work`` on each of ``tasks``, in order with one worker, else as they come.

    ``work`` is sent to every process once; what is not begun is dropped when the block is left early.
    """
    if workers <= 1 or len(tasks) <= 1:
        yield map(work, tasks)
        return
    with ProcessPoolExecutor(min(workers, len(tasks)), initializer=_start, initargs=(work,)) as pool:
        try:
            yield (future.result() for future in as_completed([pool.submit(_run, task) for task in tasks]))
        finally:
            pool.shutdown(cancel_futures=True)


def run_scored(
    work: Callable[[Any], list[Row]],
    tasks: Sequence[Any],
    scores: ScoreFile | None,
    workers: int,
    progress: Progress | None = None,
    check: Check | None = None,
) -> list[Row]:
    """The rows ``work`` makes of each of ``tasks``, written to ``scores`` as they come."""
    rows: list[Row] = []
    with in_workers(work, tasks, workers) as results:
        for number, fresh in enumerate(results, start=1):
            rows += fresh
            if scores:
                scores.add(fresh)
            tick(progress, check, number, len(tasks))
    return rows


def _start(work: Callable[[Any], Any]) -> None:
    global _work
    torch.set_num_threads(1)
    _work = work


def _run(task: Any) -> Any:
    return _work(task)
