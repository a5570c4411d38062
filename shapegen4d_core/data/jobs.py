"""Independent jobs, one per asset, in plain processes: none is lost because another fails or kills its process."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field, replace
from multiprocessing import get_context
from typing import Any

from ..errors import InputError

MADE, REJECTED, FAILED = "made", "rejected", "failed"
Job = tuple[str, Any]
"""Name of an asset and what its worker needs."""


@dataclass(frozen=True)
class Outcome:
    """What became of one asset: ``state`` is "made", "rejected" (by a rule, ``reason``) or "failed" (by an error)."""

    name: str
    state: str
    path: str | None = None
    reason: str = ""
    detail: str = ""
    seconds: float = 0.0
    figures: dict[str, float] = field(default_factory=dict)


Work = Callable[[str, Any], Outcome]


def guarded(work: Work, name: str, job: Any) -> Outcome:
    """Run one job with its time; an exception becomes an outcome that names it."""
    start = time.perf_counter()
    try:
        outcome = work(name, job)
    except Exception as error:  # whatever one asset does wrong, the others go on
        words = str(error) if isinstance(error, InputError) else f"{type(error).__name__}: {error}"
        outcome = Outcome(name, FAILED, reason="error", detail=words)
    return replace(outcome, seconds=time.perf_counter() - start)


def run_jobs(work: Work, jobs: Sequence[Job], workers: int = 1) -> Iterator[Outcome]:
    """Outcomes of all jobs as they finish; with one worker in this process, in order.

    ``work`` must be a function of a module. When a worker process dies, the jobs it may have had are run again, each
    in a process of its own, and the one that kills that too is reported as failed. Raises InputError for no workers.
    """
    if workers < 1:
        raise InputError(f"workers={workers} is too few; give at least 1.")
    if workers == 1:
        yield from (guarded(work, *job) for job in jobs)
        return
    waiting = list(jobs)
    while waiting:
        suspects = yield from _run_until_crash(work, waiting, min(workers, len(waiting)))
        for name, job in suspects:
            alone = yield from _run_until_crash(work, [(name, job)], 1)
            if alone:
                yield Outcome(name, FAILED, reason="crash", detail="the worker process died")


def _run_until_crash(work: Work, waiting: list[Job], workers: int) -> Iterator[Outcome]:
    """Run jobs off the front of ``waiting``; returns those that were under way when a process died."""
    running: dict = {}
    with ProcessPoolExecutor(workers, get_context("spawn"), _one_thread) as pool:
        try:
            while waiting or running:
                while waiting and len(running) < workers:
                    running[pool.submit(guarded, work, *waiting[0])] = waiting[0]
                    del waiting[0]
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    outcome = future.result()
                    del running[future]
                    yield outcome
        except BrokenProcessPool:
            return list(running.values())
    return []


def _one_thread() -> None:
    """Numeric libraries look at these once, when they are imported, which is after this in a new process."""
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = "1"
