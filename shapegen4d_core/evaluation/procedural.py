"""The model against held-out procedural clips: which clips and runs there are, and running them, resumable."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..data.shards import clip_names
from ..progress import Check, Progress
from .judge import THRESHOLDS, Judge, Task, fingerprint
from .methods import METHODS
from .score_file import Row, ScoreFile
from .workers import run_scored


@dataclass(frozen=True)
class Plan:
    """``clips`` held-out clips of ``split`` (test: new seeds, unseen: the family kept out of training), by every
    method, seeded ones once per seed of ``seeds``.
    """

    methods: tuple[str, ...]
    clips: int = 64
    seeds: tuple[int, ...] = (0,)
    split: str = "test"

    def runs(self) -> list[tuple[str, int | None]]:
        """(method, seed) of everything that is done with each clip."""
        return [
            (method, seed) for method in self.methods for seed in (self.seeds if METHODS[method].seeded else (None,))
        ]

    def tasks(self, done: Sequence[Row] = ()) -> list[Task]:
        """What is not done yet: one task per clip and seed, so that little is lost when a run is stopped."""
        finished = {row.key for row in done}
        tasks = []
        for family, seed in clip_names(0, self.clips, self.split):
            left = [run for run in self.runs() if (f"{family}-{seed}", *run) not in finished]
            for number in sorted({run[1] or 0 for run in left}):
                runs = tuple(run for run in left if (run[1] or 0) == number)
                tasks.append(Task((family, seed), runs))
        return tasks


def about(plan: Plan, judge: Judge, model_name: str) -> dict[str, Any]:
    """What a report must say for its figures to mean something."""
    return {
        "model": f"{model_name}, weights {fingerprint(judge.model)}",
        "clips": f"{plan.clips} held-out procedural clips, split {plan.split}",
        "seeds": list(plan.seeds),
        "grid": f"{judge.resolution} cells per axis in +-1.05, no registration",
        "surface points": f"{judge.points} of prediction and truth each, seeded",
        "F thresholds": list(THRESHOLDS),
        "sampling": judge.settings.to_dict(),
        "failures": "a frame without a surface counts as IoU 0, Chamfer 2, jitter 10; nothing is left out",
        "intervals": "95 % percentile bootstrap over clips, seeds averaged within a clip first",
    }


def run_plan(
    plan: Plan,
    judge: Judge,
    scores: ScoreFile | None = None,
    workers: int = 1,
    progress: Progress | None = None,
    check: Check | None = None,
) -> list[Row]:
    """All rows of a plan; those in ``scores`` are not made again, new ones are written there as they come.

    The same for any number of ``workers`` (processes) up to the rounding of threaded sums.
    """
    rows = list(scores.rows) if scores else []
    tasks = plan.tasks(rows)
    rows += run_scored(judge, tasks, scores, workers, progress, check)
    names = clip_names(0, plan.clips, plan.split)
    wanted = {(f"{family}-{seed}", *run) for family, seed in names for run in plan.runs()}
    return [row for row in rows if row.key in wanted]
