"""Jobs on Ray Data: the same work on a whole cluster, or on the cores of one machine."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from ...errors import InputError
from ...optional_packages import needed
from ..jobs import FAILED, Job, Outcome, Work, guarded

PACKAGE = "ray[data]>=2.22,<2.64"
"""The versions whose ``map`` takes ``ray_remote_args_fn``; the extra in pyproject.toml has the same bounds."""


def run_on_ray(work: Work, jobs: Sequence[Job], workers: int = 1) -> Iterator[Outcome]:
    """Outcomes of all jobs as they finish, from a running Ray cluster or a local one with ``workers`` cores.

    A job whose process keeps dying is reported as failed. The files must be where every node can read and write them.
    Raises InputError without a fitting Ray.
    """
    if not jobs:
        return
    with needed("The Ray backend needs", PACKAGE, "ray", ", or use processes"):
        import ray
        import ray.data
    if "ray_remote_args_fn" not in inspect.signature(ray.data.Dataset.map).parameters:
        fitting = f"install another with: pip install '{PACKAGE}', or use processes"
        raise InputError(f"Ray {ray.__version__} does not fit; {fitting}.")
    started = not ray.is_initialized()
    if started:
        ray.init(num_cpus=workers, include_dashboard=False, log_to_driver=False, configure_logging=False)
    context = ray.data.DataContext.get_current()
    before = context.max_errored_blocks, context.enable_progress_bars
    context.max_errored_blocks, context.enable_progress_bars = -1, False
    done = set()
    try:
        rows = ray.data.from_items([{"index": index} for index in range(len(jobs))], override_num_blocks=len(jobs))
        task = rows.map(_Task(work, list(jobs)), num_cpus=1, ray_remote_args_fn=_twice)
        for row in task.iter_rows():
            outcome = Outcome(**json.loads(row["outcome"]))
            done.add(outcome.name)
            yield outcome
    finally:
        context.max_errored_blocks, context.enable_progress_bars = before
        if started:
            ray.shutdown()
    for name, _ in jobs:
        if name not in done:
            yield Outcome(name, FAILED, reason="crash", detail="the worker process died")


def _twice() -> dict[str, int]:
    """Ray Data would try a job that kills its process for ever."""
    return {"max_retries": 1}


class _Task:
    """What a Ray worker does with one row: the job of that number, its outcome as JSON text."""

    def __init__(self, work: Work, jobs: list[Job]) -> None:
        self.work, self.jobs = work, jobs

    def __call__(self, row: dict[str, Any]) -> dict[str, str]:
        import torch

        torch.set_num_threads(1)
        name, job = self.jobs[row["index"]]
        return {"outcome": json.dumps(asdict(guarded(self.work, name, job)))}
