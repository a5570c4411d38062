"""Independent tasks on plain processes; results come as they are ready."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from typing import Any

import torch

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


def _start(work: Callable[[Any], Any]) -> None:
    global _work
    torch.set_num_threads(1)
    _work = work


def _run(task: Any) -> Any:
    return _work(task)
